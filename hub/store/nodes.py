"""How nodes come, are heard of, and leave; and what a hub that starts finds of them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from protocol.frames import AttemptKey, Inventory

HUB_STOPPED = "the hub stopped"
"""Why nodes are unreachable whose hub stopped or was killed: they are on their way back."""


class RegisterNode(Struct, frozen=True, kw_only=True):
    """Note a registration or a resumption (``registration`` None: as registered before) and reconcile the inventory.

    ``leaving``: the node has said by itself that it drains.
    """

    node_id: str
    instance_id: str
    predecessors: Sequence[str]
    inventory: Inventory
    session_id: str
    registration: NodeRegistration | None
    luck: float = 0.5
    leaving: bool = False


class NodeRegistration(Struct, frozen=True, kw_only=True):
    """What a node says of itself when it registers."""

    name: str
    labels: dict[str, str]
    slots: int
    handlers: Sequence[str]
    version: str


class Reconciled(Struct, frozen=True, kw_only=True):
    """Answer to `RegisterNode`.

    ``keep``, ``stop``, ``forget``, ``cancel`` go to the node; ``acked`` are results that are final already;
    ``push`` is to be fetched (`hub.store.assignments.Fetch`) and pushed again; ``held`` is what the store now says the
    node holds (it uses its slots).
    ``unknown`` are attempts that the store never heard of. ``cordoned`` and ``draining`` are the operator's wishes.
    """

    keep: list[AttemptKey]
    stop: list[AttemptKey]
    forget: list[AttemptKey]
    cancel: list[AttemptKey]
    push: list[AttemptKey]
    held: list[AttemptKey]
    unknown: list[AttemptKey]
    cordoned: bool
    draining: bool


class NodeLeaving(Struct, frozen=True, kw_only=True):
    """Note that a node drains by itself: `draining`, until it has left. Answer: None.

    Conditional on ``instance_id`` and ``session_id`` being the ones of the last registration.
    """

    node_id: str
    instance_id: str
    session_id: str


class NodeLeft(Struct, frozen=True, kw_only=True):
    """Note that a node's session has no connection any more (`unreachable`) or that it said `bye` (`gone`).

    Who says `bye` holds nothing. What the store says that this instance holds was assigned meanwhile and never arrived:
    it is queued again, and nothing is counted.

    Conditional on ``instance_id`` and ``session_id`` being the ones of the last registration.
    """

    node_id: str
    instance_id: str
    session_id: str
    reason: str
    gone: bool = False


class NodeSeen(Struct, frozen=True, kw_only=True):
    """Heartbeats, batched: ``(node_id, instance_id)`` were heard of just now. Answer: None."""

    nodes: Sequence[tuple[str, str]]


class HubStarted(Struct, frozen=True, kw_only=True):
    """The hub begins: nodes that were online or draining are unreachable until they return. Answer: `Inherited`."""

    hub_id: str


class Inherited(Struct, frozen=True, kw_only=True):
    """``holders`` are ``(node_id, instance_id)`` of all that hold attempts: their leases count from now. ``nodes``
    counts those that were not gone, and so will come back.
    """

    holders: list[tuple[str, str]]
    tasks: dict[str, int]
    nodes: int
