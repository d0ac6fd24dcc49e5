"""The protocol as an AsyncAPI 3 document, made from the frames themselves, so that the two cannot differ.

``python -m protocol.asyncapi`` prints it; `docs/reference/asyncapi.json` is that, and a test compares them.
"""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any

import msgspec

from protocol import frames
from protocol.frames import Frame
from protocol.limits import MESSAGE_BYTES_MAX, NODE_PATH, SUBPROTOCOL

NODE_FRAMES: tuple[type[Frame], ...] = (
    frames.Register,
    frames.Resume,
    frames.Heartbeat,
    frames.Result,
    frames.Progress,
    frames.Log,
    frames.Drain,
    frames.Bye,
)
"""Every frame that a node sends."""

HUB_FRAMES: tuple[type[Frame], ...] = (
    frames.Registered,
    frames.Resumed,
    frames.UnknownSession,
    frames.Refused,
    frames.Task,
    frames.Cancel,
    frames.Ack,
    frames.HeartbeatAck,
    frames.Verdicts,
    frames.GoAway,
)
"""Every frame that a hub sends."""


def document() -> dict[str, Any]:
    """Give the AsyncAPI document as plain values."""
    kinds = NODE_FRAMES + HUB_FRAMES
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Moorline: the session between a node and a hub",
            "version": "1.0.0",
            "license": {"name": "MIT"},
            "description": "One JSON frame per line; many lines in one WebSocket text message of at most "
            f"{MESSAGE_BYTES_MAX} bytes. Unknown fields are ignored. The order of frames, leases and backing off: "
            "protocol.md.",
        },
        "defaultContentType": "application/x-ndjson",
        "servers": {
            "hub": {
                "host": "127.0.0.1:8765",
                "protocol": "ws",
                "description": f"Subprotocol {SUBPROTOCOL}; wss where the hub has a certificate.",
                "security": [{"$ref": "#/components/securitySchemes/token"}],
            }
        },
        "channels": {
            "session": {
                "address": NODE_PATH,
                "servers": [{"$ref": "#/servers/hub"}],
                "messages": {_name(kind): {"$ref": f"#/components/messages/{_name(kind)}"} for kind in kinds},
            }
        },
        "operations": {
            "fromNode": _operation("receive", "What a node sends; the hub receives it.", NODE_FRAMES),
            "fromHub": _operation("send", "What a hub sends.", HUB_FRAMES),
        },
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A token with the role `node`."}
            },
            "messages": {_name(kind): _message(kind) for kind in kinds},
            "schemas": {name: _tidy(schema) for name, schema in schemas.items()},
        },
    }


def _tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """Take the indentation out of a description: Python keeps it in docstrings up to 3.12."""
    if "description" in schema:
        return {**schema, "description": inspect.cleandoc(schema["description"])}
    return schema


def _name(kind: type[Frame]) -> str:
    return str(kind.__struct_config__.tag)


def _operation(action: str, summary: str, kinds: tuple[type[Frame], ...]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/session"},
        "messages": [{"$ref": f"#/channels/session/messages/{_name(kind)}"} for kind in kinds],
    }


def _message(kind: type[Frame]) -> dict[str, Any]:
    summary, _, more = (inspect.getdoc(kind) or "").partition("\n")
    message: dict[str, Any] = {
        "name": _name(kind),
        "summary": summary,
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
    }
    if more.strip():
        message["description"] = more.strip()
    return message


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=1)
    sys.stdout.write("\n")
