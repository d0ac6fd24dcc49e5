from __future__ import annotations

import dataclasses

import pytest

from dashboards.demo.scenario import Action, Facts, Phase, Step, next_step, sentence

QUIET = Facts(
    phase=Phase.STARTING,
    in_phase_s=0.0,
    tasks=300,
    told=0,
    running=0,
    victim_running=0,
    nodes=3,
    nodes_online=0,
    hub_is_ready=True,
    victim_is_new=False,
)


@pytest.mark.parametrize(
    ("phase", "facts", "step"),
    [
        (Phase.STARTING, {"nodes_online": 2}, None),
        (Phase.STARTING, {"nodes_online": 3}, Step(Action.NONE, Phase.WORKING)),
        (Phase.WORKING, {"told": 99, "running": 9}, None),
        (Phase.WORKING, {"told": 100, "running": 2}, None),
        (Phase.WORKING, {"told": 100, "running": 3}, Step(Action.KILL_HUB, Phase.HUB_DEAD)),
        (Phase.WORKING, {"told": 300}, Step(Action.NONE, Phase.CHECKING)),
        (Phase.HUB_DEAD, {"in_phase_s": 1.4}, None),
        (Phase.HUB_DEAD, {"in_phase_s": 1.5}, Step(Action.START_HUB, Phase.HUB_STARTING)),
        (Phase.HUB_STARTING, {"hub_is_ready": False}, None),
        (Phase.HUB_STARTING, {}, Step(Action.NONE, Phase.NODES_RETURNING)),
        (Phase.NODES_RETURNING, {"nodes_online": 2}, None),
        (Phase.NODES_RETURNING, {"nodes_online": 3}, Step(Action.NONE, Phase.WORKING_AGAIN)),
        (Phase.WORKING_AGAIN, {"told": 199, "victim_running": 2}, None),
        (Phase.WORKING_AGAIN, {"told": 200, "victim_running": 0}, None),
        (Phase.WORKING_AGAIN, {"told": 200, "victim_running": 1}, Step(Action.KILL_NODE, Phase.NODE_DEAD)),
        (Phase.WORKING_AGAIN, {"told": 300}, Step(Action.NONE, Phase.CHECKING)),
        (Phase.NODE_DEAD, {"in_phase_s": 1.0}, None),
        (Phase.NODE_DEAD, {"in_phase_s": 1.2}, Step(Action.START_NODE, Phase.NODE_RETURNING)),
        (Phase.NODE_RETURNING, {"nodes_online": 3}, None),
        (Phase.NODE_RETURNING, {"nodes_online": 3, "victim_is_new": True}, Step(Action.NONE, Phase.FINISHING)),
        (Phase.FINISHING, {"told": 299}, None),
        (Phase.FINISHING, {"told": 300}, Step(Action.NONE, Phase.CHECKING)),
        (Phase.CHECKING, {"told": 300}, None),
    ],
)
def test_each_phase_is_left_when_its_time_has_come(phase: Phase, facts: dict[str, int], step: Step | None) -> None:
    assert next_step(dataclasses.replace(QUIET, phase=phase, **facts)) == step  # type: ignore[arg-type]


def test_every_phase_has_a_sentence() -> None:
    assert all(sentence(phase) for phase in Phase)
