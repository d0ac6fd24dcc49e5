"""The document that strangers write nodes from says what the frames say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from protocol import frames
from protocol.asyncapi import HUB_FRAMES, NODE_FRAMES, document
from protocol.codec import encode
from protocol.frames import Frame

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "asyncapi.json"
PROSE = Path(__file__).parents[2] / "docs" / "reference" / "protocol.md"


def validator(name: str) -> jsonschema.Draft202012Validator:
    written = json.loads(DOCUMENT.read_text())
    return jsonschema.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": written["components"]}
    )


def test_the_written_document_is_made_from_the_frames() -> None:
    assert json.loads(DOCUMENT.read_text()) == document(), "write it again: python -m protocol.asyncapi"


def test_every_frame_is_in_the_document_and_in_the_prose() -> None:
    written, prose = document(), PROSE.read_text()
    assert set(NODE_FRAMES) | set(HUB_FRAMES) == set(Frame.__subclasses__())
    for kind in NODE_FRAMES + HUB_FRAMES:
        name = str(kind.__struct_config__.tag)
        assert name in written["components"]["messages"]
        assert f"`{name}`" in prose
        for field in msgspec.structs.fields(kind):
            assert f"`{field.encode_name}" in prose, f"{name}.{field.encode_name}"


def test_every_reference_leads_somewhere() -> None:
    written = document()

    def follow(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(reference := value.get("$ref"), str):
                target: Any = written
                for step in reference.removeprefix("#/").split("/"):
                    target = target[step]
            for item in value.values():
                follow(item)
        elif isinstance(value, list):
            for item in value:
                follow(item)

    follow(written)


EXAMPLES: list[Frame] = [
    frames.Register(node_id="n", instance_id="i", slots=1, inventory=frames.Inventory(running=[("t", 1)])),
    frames.Result(task_id="t", attempt=1, outcome="succeeded", value=msgspec.Raw(b'{"a":[1]}'), run_s=0.1),
    frames.Result(task_id="t", attempt=1, outcome="failed", error=frames.TaskError(kind="timeout")),
    frames.Task(task_id="t", attempt=1, name="x", payload=msgspec.Raw(b"{}"), lease_s=300, timeout_s=None),
    frames.Ack(attempts=[("t", 1)]),
    frames.Refused(code="degraded", message="m", retry_after_s=5),
    frames.GoAway(action="drain"),
]


@pytest.mark.parametrize("frame", EXAMPLES, ids=frames.frame_type)
def test_what_we_send_fits_the_document(frame: Frame) -> None:
    validator(type(frame).__name__).validate(json.loads(encode(frame)))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Result", '{"type":"result","task_id":"t","attempt":0,"outcome":"succeeded"}'),
        ("Register", '{"type":"register","node_id":"n n","instance_id":"i","slots":1,"inventory":{}}'),
        ("GoAway", '{"type":"go_away","action":"dance"}'),
        ("Ack", '{"type":"ack","attempts":[["t"]]}'),
        ("Ack", '{"type":"resume","attempts":[]}'),
    ],
)
def test_the_document_refuses_what_a_hub_or_node_refuses(name: str, line: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validator(name).validate(json.loads(line))
