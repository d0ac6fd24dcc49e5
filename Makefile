# Every target sets up what it needs, and says so on stderr: all that must be there is `python3` (3.11 or later, with
# venv) and `make`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help

$(STAMP): pyproject.toml setup.py
	@echo "making $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV) >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,examples]' >&2
	@touch $(STAMP)

.PHONY: help setup demo test check format coverage bench bench-peers soak storm pictures simulate clean

help:  ## Say what each target does
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Make the virtual environment

demo: $(STAMP)  ## Kill the hub in the middle of real work, and watch that nothing is lost
	@$(BIN)/moorline demo

test: $(STAMP)  ## Run the tests, with coverage and its thresholds
	$(BIN)/python -m tests.run

check: $(STAMP)  ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## Measure every claim: a table on stderr, one JSON object on stdout; three minutes
	@$(BIN)/python -m benchmarks

bench-peers: $(STAMP)  ## Measure other systems beside Moorline, on this machine
	@$(BIN)/python -m benchmarks.peers

soak: $(STAMP)  ## Run the long tests of what must be survived: minutes each
	$(BIN)/python -m pytest -m soak -s tests/faults

storm: $(STAMP)  ## Simulate how large fleets come back, and draw docs/storm.svg
	@$(BIN)/python -m benchmarks.storm --picture docs/storm.svg

pictures: $(STAMP)  ## Photograph both dashboards in a real run, into docs/pictures; seven minutes
	@$(BIN)/python -m benchmarks.dashboard_pictures docs/pictures

SEEDS ?= 20000
simulate: $(STAMP)  ## Run SEEDS seeds of the simulation; the first that breaks a promise ends it
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

clean:  ## Remove what the targets made
	rm -rf $(VENV) .moorline .mypy_cache .ruff_cache .pytest_cache .hypothesis .bench .coverage .coverage.*
