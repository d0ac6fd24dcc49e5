"""The bounds of the wire: each number with its unit in the name and its reason above it.

Both sides check them before anything is parsed. The hub names those that it may lower in ``registered``.
"""

from __future__ import annotations

import re
from typing import Final

SUBPROTOCOL: Final = "moorline.v1"
NODE_PATH: Final = "/v1/node"

# In the hub's answer to a handshake: which process it is. Sessions end with the process, and a node that knows this
# registers with its first frame; to resume first would cost each node of a fleet a connection more.
HUB_INSTANCE_HEADER: Final = "Moorline-Hub-Instance"

# A payload or a result is one JSON text. 256 KiB carries any set of parameters; larger things belong in a store of
# files, with their address in the payload.
PAYLOAD_BYTES_MAX: Final = 256 * 1024
RESULT_BYTES_MAX: Final = 256 * 1024

# One line. The longest honest one is the `register` of a node whose 4,096 slots are all in use, with ids as long as ids
# may be: 0.8 MB. A task or a result with the largest payload takes 300 KB.
FRAME_BYTES_MAX: Final = 1024 * 1024

# One WebSocket message holds whatever a writer found to say when it woke: frames up to the target below, and one more.
MESSAGE_BYTES_MAX: Final = 2 * FRAME_BYTES_MAX

# A writer stops adding frames to a message past this size: small frames gain nothing beyond it.
MESSAGE_BYTES_TARGET: Final = 128 * 1024

# JSON nested deeper than this is refused at the door: decoders recurse, and no honest payload comes near.
DEPTH_MAX: Final = 100

# Slots bound the inventory, and so the size of `register`: 4,096 attempts of up to 140 bytes each fit one frame.
SLOTS_MAX: Final = 4096
HANDLERS_MAX: Final = 1024
LABELS_MAX: Final = 64
PREDECESSORS_MAX: Final = 100
NAME_CHARACTERS_MAX: Final = 128
LABEL_CHARACTERS_MAX: Final = 256
MESSAGE_CHARACTERS_MAX: Final = 1024
TRACEBACK_CHARACTERS_MAX: Final = 16 * 1024
LOG_LINE_CHARACTERS_MAX: Final = 4096
LOG_LINES_PER_FRAME_MAX: Final = 64

# Node names, task names, task ids, label keys: what can stand in a URL, a log line and a file name as it is.
# `(?!\n)`: in Python `$` would also match before a line end; the pattern means the same in JSON Schema.
IDENTIFIER_CHARACTERS_MAX: Final = 128
IDENTIFIER_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}(?!\n)$"
_IDENTIFIER: Final = re.compile(IDENTIFIER_PATTERN)

# Values of labels and names for people: they are compared, searched for and shown on one line. SQL ends a text at a
# NUL, or refuses it; the others would move the cursor of a terminal. No lone surrogate gets through JSON.
PLAIN_PATTERN: Final = r"^[^\x00-\x1f\x7f-\x9f]*(?!\n)$"
PLAIN_WORDS: Final = "text without control characters"
_NOT_PLAIN: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def is_plain(text: str) -> bool:
    """Tell whether ``text`` may be a label's value or a name for people: it can be kept, found and shown as it is."""
    return _NOT_PLAIN.search(text) is None


def is_identifier(text: str) -> bool:
    """Tell whether ``text`` may name a node, a task, a handler or a label."""
    # Most are letters and digits alone, which takes a quarter of the time to see.
    if text.isalnum() and text.isascii():
        return len(text) <= IDENTIFIER_CHARACTERS_MAX
    return _IDENTIFIER.search(text) is not None
