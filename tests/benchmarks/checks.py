"""What must hold of every claim, however small it was measured and however busy the machine was."""

from __future__ import annotations

import json

import orjson

from benchmarks.claim import Claim


def check_shape(claim: Claim) -> None:
    """Hold a claim against what a reader of its JSON relies on."""
    told = json.loads(orjson.dumps(claim.as_json()))
    assert told["claim"]
    assert told["figures"]
    assert told["settings"]
    assert {"python", "cores", "load_before", "load_after", "versions"} <= told["conditions"].keys()
    for target in told["targets"]:
        assert target.keys() == {"figure", "target", "value", "unit", "met"}
        assert target["target"].split()[0] in {"≤", "≥"}
        assert isinstance(target["value"], (int, float))
        assert isinstance(target["met"], bool)
