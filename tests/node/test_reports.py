"""Progress and log lines: bounded, lossy, and said to be so."""

from __future__ import annotations

import asyncio
import math

import pytest

from node.reports import LINES_MAX, LINES_PER_SECOND_MAX, Reports
from protocol.codec import encode, encode_messages, node_frames_decoder
from protocol.frames import Log, NodeFrame, Progress
from protocol.limits import FRAME_BYTES_MAX, LOG_LINE_CHARACTERS_MAX, LOG_LINES_PER_FRAME_MAX

KEY = ("t", 1)


class Sink:
    """Takes frames while it is open."""

    def __init__(self) -> None:
        self.frames: list[NodeFrame] = []
        self.is_open = True
        self.news = asyncio.Event()

    def send(self, frames: list[NodeFrame]) -> bool:
        if self.is_open:
            self.frames += frames
            self.news.set()
        return self.is_open

    @property
    def lines(self) -> list[str]:
        return [line.message for frame in self.frames if isinstance(frame, Log) for line in frame.lines]


@pytest.fixture
async def sink() -> Sink:
    return Sink()


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def reports(sink: Sink, clock: Clock) -> Reports:
    return Reports(asyncio.get_running_loop(), sink.send, clock)


async def test_reports_are_sent_by_themselves(reports: Reports, sink: Sink) -> None:
    reports.progress(KEY, 1, 10, "half")
    async with asyncio.timeout(10):
        await sink.news.wait()
    assert sink.frames == [Progress(task_id="t", attempt=1, done=1.0, total=10.0, message="half")]
    sink.news.clear()
    reports.log(KEY, "INFO", "hello")
    async with asyncio.timeout(10):
        await sink.news.wait()
    assert sink.lines == ["hello"]


async def test_the_latest_progress_of_each_attempt_wins(reports: Reports, sink: Sink) -> None:
    for done in range(100):
        reports.progress(KEY, done)
        reports.progress(("u", 1), -done)
    reports.flush()
    assert [(frame.task_id, frame.done) for frame in sink.frames if isinstance(frame, Progress)] == [
        ("t", 99.0),
        ("u", -99.0),
    ]


@pytest.mark.parametrize(("done", "total"), [(math.nan, None), (math.inf, None), (1.0, math.nan)])
async def test_progress_that_json_cannot_say_is_dropped(
    reports: Reports, sink: Sink, done: float, total: float | None
) -> None:
    reports.progress(KEY, done, total)
    reports.flush()
    assert sink.frames == []


async def test_progress_of_what_has_ended_is_dropped(reports: Reports, sink: Sink) -> None:
    reports.progress(KEY, 1)
    reports.drop_progress([KEY])
    reports.flush()
    assert sink.frames == []


async def test_without_a_session_reports_wait_within_their_bounds(reports: Reports, sink: Sink) -> None:
    sink.is_open = False
    reports.progress(KEY, 1)
    reports.log(KEY, "INFO", "one")
    reports.flush()
    reports.progress(KEY, 2)
    reports.log(KEY, "INFO", "two")
    reports.flush()
    sink.is_open = True
    reports.flush()
    assert [frame.done for frame in sink.frames if isinstance(frame, Progress)] == [2.0]
    assert sink.lines == ["one", "two"]


async def test_newer_progress_is_not_replaced_by_what_could_not_be_sent(sink: Sink) -> None:
    reports = Reports(asyncio.get_running_loop(), sink.send)
    sink.is_open = False

    def refuse(frames: list[NodeFrame]) -> bool:
        reports.progress(KEY, 2)
        return False

    reports.progress(KEY, 1)
    reports._send = refuse
    reports.flush()
    reports._send = sink.send
    sink.is_open = True
    reports.flush()
    assert [frame.done for frame in sink.frames if isinstance(frame, Progress)] == [2.0]


async def test_lines_past_the_rate_are_counted_as_dropped(reports: Reports, sink: Sink, clock: Clock) -> None:
    for number in range(LINES_PER_SECOND_MAX + 50):
        reports.log(KEY, "INFO", str(number))
    reports.flush_lines()
    assert len(sink.lines) == LINES_PER_SECOND_MAX
    assert sum(frame.dropped for frame in sink.frames if isinstance(frame, Log)) == 50
    clock.now_s += 0.1
    for number in range(50):
        reports.log(KEY, "INFO", str(number))
    reports.flush_lines()
    assert len(sink.lines) == LINES_PER_SECOND_MAX + 20


async def test_lines_past_the_buffer_are_counted_as_dropped(reports: Reports, sink: Sink, clock: Clock) -> None:
    sink.is_open = False
    for number in range(LINES_MAX + 10):
        clock.now_s += 1
        reports.log(KEY, "INFO", str(number))
    reports.flush_lines()
    sink.is_open = True
    reports.flush_lines()
    assert len(sink.lines) == LINES_MAX
    assert sum(frame.dropped for frame in sink.frames if isinstance(frame, Log)) == 10


async def test_lines_of_the_worst_kind_fit_the_wire(reports: Reports, sink: Sink) -> None:
    for _ in range(150):
        reports.log(KEY, "A LEVEL WITH A LONG NAME", "\x01" * (LOG_LINE_CHARACTERS_MAX + 10))
        reports.log(KEY, "INFO", "\ud800")
    reports.flush_lines()
    for frame in sink.frames:
        assert isinstance(frame, Log)
        assert len(frame.lines) <= LOG_LINES_PER_FRAME_MAX
        assert len(encode(frame)) <= FRAME_BYTES_MAX
    decoder = node_frames_decoder()
    assert [frame for message in encode_messages(sink.frames) for frame in decoder.decode(message)] == sink.frames


def test_reporting_after_the_loop_is_closed_is_harmless() -> None:
    loop = asyncio.new_event_loop()
    reports = Reports(loop, lambda _: True)
    loop.close()
    reports.progress(KEY, 1)
