"""Accept tasks: find those that were there before, and write each new one once, in the state in which it begins."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from hub.decisions.lifecycle import TaskState
from hub.decisions.scheduling import can_serve
from hub.store.assignments import Assignment, NodeProfile
from hub.store.nodes import HUB_STOPPED
from hub.store.sqlite import bulk, claiming, keys, rows
from hub.store.sqlite.codes import QUEUED, RUNNING, SCHEDULED, STATES
from hub.store.sqlite.rows import StoredTask
from hub.store.sqlite.transaction import Transaction
from hub.store.submissions import Accepted, Broadcast, Broadcasted, Submit, Submitted
from hub.store.tasks import NewTask, TaskOptions, class_of

# What every task has, what it has once it runs, and what only some have.
_COMMON: Final = "seq, id, class_id, state, rank, options, task_group, submitted_at"
_ASSIGNED: Final = "attempt, held, node_id, instance_id, started_at"
_SPECIAL: Final = "concurrency_key, idempotency_key, due_at, due_clock, deadline_at"

# The longest id of a task (protocol/limits.py, IDENTIFIER_PATTERN).
ID_CHARACTERS_MAX: Final = 128

STEADY: Final = 0
WALL: Final = 1

_profiles = msgspec.json.Decoder(list[tuple[str, list[str], dict[str, str]]])


class _New(msgspec.Struct, gc=False):
    """A task that is accepted, and when it is due if it has to wait."""

    task: StoredTask
    source: NewTask
    due_at: float | None
    due_clock: int | None

    @property
    def is_plain(self) -> bool:
        """Whether it has nothing that only some tasks have."""
        options = self.source.options
        return (
            self.due_at is None
            and options.concurrency_key is None
            and options.idempotency_key is None
            and options.deadline is None
        )


def submit(tx: Transaction, operations: Sequence[Submit]) -> list[Submitted]:
    """Accept the tasks of several operations together, and fill their offers."""
    sources = [task for operation in operations for task in operation.tasks]
    accepted, new = _accept(tx, sources)
    assignments = _store(tx, new, operations)
    running = {assignment.task_id for group in assignments for assignment in group}
    answers = []
    start = 0
    for number, operation in enumerate(operations):
        end = start + len(operation.tasks)
        told = [
            Accepted(task.task_id, TaskState.RUNNING if task.task_id in running else STATES[task.code], existing)
            for task, existing in accepted[start:end]
        ]
        answers.append(Submitted(accepted=told, assignments=assignments[number]))
        start = end
    return answers


def _accept(tx: Transaction, sources: Sequence[NewTask]) -> tuple[list[tuple[StoredTask, bool]], list[_New]]:
    """Tell new tasks from those that were there, among themselves too."""
    by_id = rows.by_ids(tx.connection, [source.task_id for source in sources])
    by_key = _by_idempotency_key(tx, sources)
    accepted: list[tuple[StoredTask, bool]] = []
    new: list[_New] = []
    for source in sources:
        known = by_id.get(source.task_id)
        once = source.options.idempotency_key
        if known is None and once is not None:
            known = by_key.get(once)
        if known is not None:
            accepted.append((known, True))
            continue
        made = _make(tx, source)
        by_id[source.task_id] = made.task
        if once is not None:
            by_key[once] = made.task
        accepted.append((made.task, False))
        new.append(made)
    return accepted, new


def _by_idempotency_key(tx: Transaction, sources: Sequence[NewTask]) -> dict[str, StoredTask]:
    wanted = {source.options.idempotency_key for source in sources} - {None}
    if not wanted:
        return {}
    condition = "WHERE idempotency_key IN (SELECT value FROM json_each(?))"
    found = rows.select(tx.connection, condition, (bulk.among(wanted),))
    return {task.options.idempotency_key or "": task for task in found}


def _make(tx: Transaction, source: NewTask) -> _New:
    options = source.options
    due_at, due_clock = _due(tx, options)
    task = StoredTask(
        tx.next_seq(),
        source.task_id,
        tx.classes.number(class_of(source.name, options)),
        QUEUED if due_at is None else SCHEDULED,
        -options.priority,
        0,
        0,
        "",
        "",
        0,
        0,
        rows.options_text(options),
        source.group,
        options.deadline,
    )
    return _New(task, source, due_at, due_clock)


def _due(tx: Transaction, options: TaskOptions) -> tuple[float | None, int | None]:
    """Say until when a task has to wait, and by which clock. Of two waits the one counts that ends later, as of now."""
    not_before = options.not_before
    wait_s = 0.0 if not_before is None else not_before - tx.now.wall_s
    if options.delay_s > 0 and options.delay_s >= wait_s:
        return tx.now.steady_s + options.delay_s, STEADY
    if wait_s > 0:
        return not_before, WALL
    return None, None


def _store(tx: Transaction, new: Sequence[_New], operations: Sequence[Submit]) -> list[list[Assignment]]:
    """Insert new tasks, the ones that find a slot as running; give the assignments of each operation."""
    now_s = tx.now.wall_s
    plain: dict[int, list[StoredTask]] = {}
    payloads: dict[int, bytes] = {}
    special: list[_New] = []
    direct: list[_New] = []
    for made in new:
        task = made.task
        if task.key is not None or _is_past(task, now_s):
            special.append(made)
            continue
        direct.append(made)
        if task.code == QUEUED:
            plain.setdefault(task.class_id, []).append(task)
            payloads[task.seq] = made.source.payload
    for line in plain.values():
        line.sort(key=lambda task: (task.rank, task.seq))
    _store_special(tx, special)
    dealt = claiming.deal(tx, [operation.offers for operation in operations], plain, payloads)
    _insert(tx, direct)
    return dealt.assignments


def _store_special(tx: Transaction, new: Sequence[_New]) -> None:
    """Insert tasks that cannot take the short way: those with a concurrency key and those whose deadline has passed."""
    for made in new:
        if made.task.code == QUEUED:
            made.task.code = keys.entry_code(made.task)
    _insert(tx, new)
    claiming.expire_all(tx, [made.task for made in new if _is_past(made.task, tx.now.wall_s)])
    keys.rebalance(tx, (made.task for made in new))


def _is_past(task: StoredTask, now_s: float) -> bool:
    return task.deadline_at is not None and task.deadline_at <= now_s


def _insert(tx: Transaction, new: Sequence[_New]) -> None:
    """Insert tasks as they are now. Most have no more than every task has: what they do not have is not written out."""
    counts = tx.ledger.counts
    tx.accepted += len(new)
    now_s = tx.now.wall_s
    queued: list[bulk.Row] = []
    running: list[bulk.Row] = []
    others: list[bulk.Row] = []
    bodies: list[bulk.Row] = []
    for made in new:
        task = made.task
        counts[task.code] += 1
        bodies.append((task.seq, bytearray(made.source.payload)))
        row: bulk.Row = (
            task.seq,
            task.task_id,
            task.class_id,
            task.code,
            task.rank,
            task.options_text,
            task.group,
            now_s,
        )
        if task.code == RUNNING:
            row = (*row, task.attempt, task.held, task.node_id, task.instance_id, now_s)
        else:
            if task.code == QUEUED:
                tx.queued[task.seq] = task.class_id
            tx.task_event(task, STATES[task.code])
        if made.is_plain:
            (running if task.code == RUNNING else queued).append(row)
        else:
            others.append(_full(made, row))
    bulk.insert(tx.connection, "tasks", _COMMON, queued)
    bulk.insert(tx.connection, "tasks", f"{_COMMON}, {_ASSIGNED}", running)
    bulk.insert(tx.connection, "tasks", f"{_COMMON}, {_ASSIGNED}, {_SPECIAL}", others)
    bulk.insert(tx.connection, "bodies", "seq, payload", bodies)


def _full(made: _New, row: bulk.Row) -> bulk.Row:
    """Give the row of a task with everything that only some have."""
    options = made.source.options
    assigned = () if made.task.code == RUNNING else (0, 0, "", "", None)
    special = (options.concurrency_key, options.idempotency_key, made.due_at, made.due_clock, options.deadline)
    return (*row, *assigned, *special)


# --- one task for each node -------------------------------------------------------------------------------------------


def broadcast(tx: Transaction, operation: Broadcast) -> Broadcasted:
    """Accept one task for each node that can serve the template now, or give those that a repeated group made."""
    template = operation.template
    group = template.task_id
    made_before = _members(tx, _group_of_key(tx, template) or group)
    if made_before:
        return Broadcasted(tasks=made_before)
    wanted = class_of(template.name, template.options)
    node_ids = [profile.node_id for profile in _ready(tx) if can_serve(profile, wanted)]
    tasks = [_member(template, node_id, is_first=number == 0) for number, node_id in enumerate(node_ids)]
    accepted = submit(tx, [Submit(tasks=tasks)])[0].accepted
    return Broadcasted(tasks=list(zip(node_ids, accepted, strict=True)))


def _member(template: NewTask, node_id: str, *, is_first: bool) -> NewTask:
    """Give the template's task for one node. The first carries the idempotency key: by it the others are found."""
    options = msgspec.structs.replace(
        template.options, node=node_id, idempotency_key=template.options.idempotency_key if is_first else None
    )
    return msgspec.structs.replace(
        template, task_id=_member_id(template.task_id, node_id), options=options, group=template.task_id
    )


def _member_id(group: str, node_id: str) -> str:
    task_id = f"{group}.{node_id}"
    if len(task_id) <= ID_CHARACTERS_MAX:
        return task_id
    return f"{task_id[: ID_CHARACTERS_MAX - 33]}.{hashlib.sha256(task_id.encode()).hexdigest()[:32]}"


def _group_of_key(tx: Transaction, template: NewTask) -> str | None:
    key = template.options.idempotency_key
    if key is None:
        return None
    found = rows.select(tx.connection, "WHERE idempotency_key = ?", (key,))
    return found[0].group or None if found else None


def _members(tx: Transaction, group: str) -> list[tuple[str, Accepted]]:
    tasks = rows.select(tx.connection, "WHERE task_group = ? AND task_group <> ''", (group,))
    members = [
        (tx.classes.get(task.class_id).target, Accepted(task.task_id, STATES[task.code], existing=True))
        for task in tasks
    ]
    return sorted(members, key=lambda member: member[0])


def _ready(tx: Transaction) -> list[NodeProfile]:
    rest = (
        "FROM (SELECT * FROM nodes WHERE (state = 'online' OR (state = 'unreachable' AND last_disconnect_reason = ?))"
        " AND cordoned = 0 AND draining = 0 ORDER BY id)"
    )
    found = bulk.read(tx.connection, _profiles, "id, json(handlers), json(labels)", rest, (HUB_STOPPED,))
    return [
        NodeProfile(node_id=node_id, handlers=frozenset(handlers), labels=labels) for node_id, handlers, labels in found
    ]
