"""What happened, as it is stored and told."""

from __future__ import annotations

from msgspec import Struct

from hub.decisions.lifecycle import TaskState
from protocol.frames import TaskError

_STATES_OF_KINDS = {f"task.{state.value}": state.value for state in TaskState}


class Event(Struct, frozen=True, array_like=True, gc=False):
    """One change of a task or a node. ``id`` grows by one with each; events of a transaction stand together.

    ``kind`` is ``task.<state>``, ``node.<state>``, ``node.cordoned``, ``node.uncordoned``, or ``alert.<state>`` (then
    ``name`` is the rule, ``node_id`` the subject if it is a node, ``reason`` the message). The value of a succeeded
    task is not part of the stored event: a reader adds it (`Store.values`), the writer has it at hand.

    Three are made for each task. So they are written without the names of their fields, and the order of the fields is
    part of the stored form.
    """

    id: int
    at: float
    kind: str
    task_id: str = ""
    name: str = ""
    attempt: int = 0
    node_id: str = ""
    origin: str = ""
    group: str = ""
    error: TaskError | None = None
    reason: str = ""

    @property
    def state(self) -> str:
        """The state that a task is now in; empty for a node."""
        return _STATES_OF_KINDS.get(self.kind, "")


class EventPage(Struct, frozen=True, kw_only=True):
    """Events behind an id, in order; ``missed``: older ones that were asked for are kept no longer."""

    events: list[Event]
    last_id: int
    missed: bool
