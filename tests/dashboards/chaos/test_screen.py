from __future__ import annotations

import io

from rich.console import Console

from dashboards.chaos.ledger import Happening
from dashboards.chaos.screen import LiveScreen, Look, NoScreen, PlainScreen, choose_screen, print_report
from dashboards.installation.judgement import Finding
from tests.dashboards.chaos.examples import report

HAPPENED = [Happening(elapsed_s=3.2, text="hub killed (SIGKILL) for 1.0 s", is_bad=True)]


def look(elapsed_s: float = 4.0) -> Look:
    return Look(
        elapsed_s=elapsed_s,
        seconds=60,
        phase="breaking things",
        hub="dead",
        nodes={"node-1": "online", "node-2": "paused"},
        tried=10,
        accepted=9,
        open=3,
        outcomes={"succeeded": 6},
        runs_ended=7,
        faults=1,
        happenings=HAPPENED,
    )


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, height=30, _environ={"TERM": "xterm"})


def written(to: Console) -> str:
    assert isinstance(to.file, io.StringIO)
    return to.file.getvalue()


def test_on_a_terminal_the_picture_has_the_faults_the_counters_and_who_is_broken() -> None:
    to = console(terminal=True)
    screen = choose_screen(to, nothing=False)
    assert isinstance(screen, LiveScreen)
    with screen:
        screen.show(look(), HAPPENED)
    for words in ("hub killed (SIGKILL)", "9 accepted, 3 open", "2 paused", "breaking things"):
        assert words in written(to)


def test_elsewhere_each_happening_is_a_line_and_there_is_a_sign_of_life() -> None:
    to = console(terminal=False)
    screen = choose_screen(to, nothing=False)
    assert isinstance(screen, PlainScreen)
    with screen:
        screen.show(look(4.0), HAPPENED)
        screen.show(look(4.5), [])
        screen.show(look(14.5), [])
    lines = written(to).splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("3.2 s  hub killed (SIGKILL) for 1.0 s")
    assert "1 faults" in lines[2]


def test_nothing_is_nothing() -> None:
    to = console(terminal=True)
    with choose_screen(to, nothing=True) as screen:
        assert isinstance(screen, NoScreen)
        screen.show(look(), HAPPENED)
    assert written(to) == ""


def test_the_report_for_people_ends_with_the_verdict() -> None:
    to = console(terminal=False)
    print_report(report(), to)
    assert written(to).splitlines()[-1] == "nothing was lost, nothing ran twice"
    print_report(report(*(Finding(kind="lost", task_id=f"t{n}", sentence=f"t{n} is lost") for n in range(12))), to)
    assert written(to).splitlines()[-2:] == ["and 2 more", "an invariant broke"]
