"""Name the packages; all other metadata stands in pyproject.toml."""

from setuptools import find_packages, setup

NAMES = ("hub", "node", "protocol", "moorline", "dashboards", "examples")

setup(
    packages=find_packages(include=[*NAMES, *(f"{name}.*" for name in NAMES)]),
    py_modules=["run_hub", "run_node"],
)
