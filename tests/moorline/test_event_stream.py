from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorline import HubError, HubUnavailableError, UnauthorizedError
from moorline.event_stream import MESSAGE_BYTES_MAX, EventParser, EventStream, Message, event_of
from moorline.pauses import Pauses
from tests.moorline.fake_transport import FakeTransport

AT_ONCE = Pauses(first_s=0, maximum_s=0)

HELLO = b'event: hello\nid: 7\ndata: {"id":7,"hub_id":"h1"}\n\n'
EIGHT = b'id: 8\ndata: {"kind":"task.succeeded"}\n\n'
NINE = b"id: 9\ndata: {}\n\n"
LIVE = b'data: {"kind":"task.log"}\n\n'


# --- the parser -------------------------------------------------------------------------------------------------------


def test_messages_are_cut_at_blank_lines() -> None:
    assert EventParser().feed(HELLO + EIGHT + LIVE) == [
        Message("hello", 7, b'{"id":7,"hub_id":"h1"}'),
        Message("message", 8, b'{"kind":"task.succeeded"}'),
        Message("message", None, b'{"kind":"task.log"}'),
    ]


def test_comments_unknown_fields_and_events_without_data_are_skipped() -> None:
    assert EventParser().feed(b": quiet\n\nretry: 5\n\nid: 1\n\nwhat\ndata:x\n\n") == [Message("message", None, b"x")]


def test_lines_of_data_are_joined() -> None:
    assert EventParser().feed(b"data: a\ndata: b\n\n") == [Message("message", None, b"a\nb")]


def test_carriage_returns_are_line_ends_too() -> None:
    assert EventParser().feed(b"id: 1\r\ndata: a\r\n\r\n") == [Message("message", 1, b"a")]


@given(st.lists(st.integers(0, 200), max_size=20))
def test_pieces_may_be_cut_anywhere(cuts: list[int]) -> None:
    whole = HELLO + b": quiet\n\n" + EIGHT + LIVE + NINE
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    parser = EventParser()
    pieces = [whole[start:end] for start, end in pairwise(places)]
    assert [message for piece in pieces for message in parser.feed(piece)] == EventParser().feed(whole)


def test_a_message_without_an_end_is_refused() -> None:
    parser = EventParser()
    parser.feed(b"data: " + b"x" * (MESSAGE_BYTES_MAX - 10))
    with pytest.raises(HubError, match="is not a hub's event stream"):
        parser.feed(b"x" * 20)


def test_an_id_that_is_no_number_is_refused() -> None:
    with pytest.raises(HubError, match="has the id b'seven'"):
        EventParser().feed(b"id: seven\ndata: x\n\n")


def test_a_message_tells_an_event_a_reset_or_nothing_to_know() -> None:
    told = event_of(Message("message", 8, b'{"kind":"task.succeeded"}'))
    assert told is not None
    assert told.kind == "task.succeeded"
    lost = event_of(Message("reset", 9, b"{}"))
    assert lost is not None
    assert (lost.kind, lost.id) == ("reset", 9)
    assert event_of(Message("hello", 7, b"{}")) is None
    with pytest.raises(HubError, match="an event that is none"):
        event_of(Message("message", 8, b"{"))


# --- the stream -------------------------------------------------------------------------------------------------------


async def read(stream: EventStream, count: int) -> list[tuple[str, int | None]]:
    read: list[tuple[str, int | None]] = []
    async with aclosing(stream.batches()) as batches:
        async for batch in batches:
            read += [(message.event, message.id) for message in batch]
            if len(read) >= count:
                return read
    raise AssertionError("a stream never ends by itself")


def connects(*streams: Sequence[bytes | Exception]) -> FakeTransport:
    return FakeTransport(streams)


async def test_a_stream_that_broke_off_is_taken_up_behind_the_last_event() -> None:
    transport = connects([HELLO, EIGHT], [HELLO, NINE])
    stream = EventStream(transport, {"kind": "task"}, pauses=AT_ONCE)
    assert await read(stream, 4) == [("hello", 7), ("message", 8), ("hello", 7), ("message", 9)]
    assert transport.queries == [{"kind": "task"}, {"kind": "task", "last_event_id": "8"}]


async def test_the_first_hello_says_where_to_begin() -> None:
    transport = connects([HELLO], [HELLO])
    await read(EventStream(transport, {}, pauses=AT_ONCE), 2)
    assert transport.queries == [{}, {"last_event_id": "7"}]


async def test_a_stream_can_begin_behind_a_known_event() -> None:
    transport = connects([HELLO, EIGHT])
    await read(EventStream(transport, {}, pauses=AT_ONCE, last_id=3), 2)
    assert transport.queries == [{"last_event_id": "3"}]


async def test_a_resumed_stream_whose_hello_is_ahead_still_resumes_behind_what_was_seen() -> None:
    ahead = b'event: hello\ndata: {"id":50,"hub_id":"h1"}\n\n'
    transport = connects([HELLO, EIGHT], [ahead], [ahead])
    await read(EventStream(transport, {}, pauses=AT_ONCE), 4)
    assert transport.queries[2] == {"last_event_id": "8"}


async def test_an_absent_hub_is_waited_for() -> None:
    away = HubUnavailableError("nobody there", retry_after_s=0)
    transport = connects([away], [away], [HELLO, HubUnavailableError("reset")], [HELLO])
    stream = EventStream(transport, {}, pauses=AT_ONCE)
    assert await read(stream, 2) == [("hello", 7), ("hello", 7)]
    assert str(stream.last_failure) == "reset"


async def test_a_reset_of_the_hub_moves_on_to_what_it_names() -> None:
    transport = connects([HELLO, b"event: reset\nid: 40\ndata: {}\n\n"], [HELLO])
    assert await read(EventStream(transport, {}, pauses=AT_ONCE), 3) == [("hello", 7), ("reset", 40), ("hello", 7)]
    assert transport.queries[1] == {"last_event_id": "40"}


async def test_another_store_behind_the_same_address_is_a_reset() -> None:
    other = b'event: hello\ndata: {"id":2,"hub_id":"h2"}\n\n'
    transport = connects([HELLO, EIGHT], [other], [other])
    read_events = await read(EventStream(transport, {}, pauses=AT_ONCE), 5)
    assert read_events[:4] == [("hello", 7), ("message", 8), ("hello", None), ("reset", None)]
    assert transport.queries[2] == {"last_event_id": "2"}


async def test_a_refusal_ends_the_stream_with_the_words_of_the_hub() -> None:
    transport = connects([b'{"error":{"code":"unauthorized",', b'"message":"the token is unknown"}}'])
    transport.status = 401
    with pytest.raises(UnauthorizedError, match="the token is unknown"):
        await read(EventStream(transport, {}, pauses=AT_ONCE), 1)


async def test_what_does_not_begin_with_a_hello_of_a_hub_is_none() -> None:
    with pytest.raises(HubError, match="it is not a hub's"):
        await read(EventStream(connects([b"event: hello\ndata: hi\n\n"]), {}, pauses=AT_ONCE), 1)


async def test_an_endless_refusal_is_not_read_to_its_end() -> None:
    transport = connects([b"<html>" * MESSAGE_BYTES_MAX] * 2)
    transport.status = 404
    with pytest.raises(HubError, match="check the client's url"):
        await read(EventStream(transport, {}, pauses=AT_ONCE), 1)
