"""Targets and how claims are printed."""

from __future__ import annotations

import json

import pytest

from benchmarks.claim import Claim, at_least, at_most, print_json


def test_a_bound_from_above_is_met_up_to_itself() -> None:
    assert at_most("memory", 24, 24.0, "KiB").met
    assert not at_most("memory", 24, 24.01, "KiB").met


def test_a_bound_from_below_is_met_from_itself_on() -> None:
    assert at_least("rate", 150, 150, "MB/s").met
    assert not at_least("rate", 150, 149.9, "MB/s").met


def test_a_target_is_told_with_its_sign_and_its_unit() -> None:
    assert at_most("memory", 24.0, 21.3, "KiB").target == "≤ 24 KiB"
    assert at_least("ratio", 0.8, 1.0, "x").target == "≥ 0.8 x"


def test_a_claim_is_printed_as_one_json_object_on_one_line(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    target = at_most("memory", 24, 21.3, "KiB")
    claim = Claim(claim="small", figures={"kib": 21.3}, settings={"n": 1}, conditions={}, targets=[target])
    print_json(claim.as_json())
    said = capsysbinary.readouterr().out
    assert said.count(b"\n") == 1
    assert json.loads(said) == {
        "claim": "small",
        "figures": {"kib": 21.3},
        "settings": {"n": 1},
        "conditions": {},
        "targets": [{"figure": "memory", "target": "≤ 24 KiB", "value": 21.3, "unit": "KiB", "met": True}],
    }
