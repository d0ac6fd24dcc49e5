"""Messages reach their channel in order, once taken never again, and are tried until then."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hub.alerts.deliver import WAITING_MAX, Courier
from hub.alerts.delivering import REFUSALS_MAX
from hub.alerts.messages import HubName
from hub.alerts.senders import Sent
from hub.store.alerts import OutboundMessage
from hub.store.now import Now
from tests.waiting import until

TAKEN = Sent(is_taken=True, detail="ok")
AWAY = Sent(is_taken=False, detail="nobody there")
REFUSED = Sent(is_taken=False, detail="HTTP 400", is_refused=True)


class Recorder:
    """A sender that answers as it is told; ``gate`` holds what is under way."""

    def __init__(self, *answers: Sent | Exception) -> None:
        self.answers = list(answers)
        self.tried: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.closed = 0

    async def send(self, message: OutboundMessage) -> Sent:
        self.tried.append(message.id)
        await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else TAKEN
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed += 1


class Post:
    """A courier with one channel."""

    def __init__(self, sender: Recorder) -> None:
        self.forgotten: list[str] = []
        self.now_s = 1_000.0
        self.courier = Courier(
            HubName(id="hub-1", version="1"),
            {"ops": sender},
            clock=lambda: Now(self.now_s, self.now_s),
            forget=self._forget,
            # The shortest pauses there are.
            luck=lambda: 0.0,
        )

    def _forget(self, ids: Sequence[str]) -> None:
        self.forgotten += ids


def message(number: int, channel: str = "ops") -> OutboundMessage:
    return OutboundMessage(id=f"m{number}", channel=channel, made_at=1_000.0, body=b"{}")


async def test_what_an_earlier_process_left_comes_first_and_all_in_order() -> None:
    sender = Recorder()
    post = Post(sender)
    post.courier.start([message(1), message(2)])
    post.courier.take([message(3)])
    await until(lambda: post.forgotten == ["m1", "m2", "m3"])
    assert sender.tried == ["m1", "m2", "m3"]
    await post.courier.stop()
    await post.courier.stop()


async def test_what_is_not_taken_is_tried_again_and_holds_up_what_is_behind_it() -> None:
    sender = Recorder(AWAY, RuntimeError("a fault of the sender's own"))
    post = Post(sender)
    post.courier.start()
    post.courier.take([message(1), message(2)])
    await until(lambda: post.courier.states()[0].failures)
    (state,) = post.courier.states()
    assert (state.channel, state.waiting, state.failure) == ("ops", 2, "nobody there")
    await until(lambda: post.forgotten == ["m1", "m2"])
    assert sender.tried == ["m1", "m1", "m1", "m2"]
    assert post.courier.states()[0].failures == 0
    await post.courier.stop()


async def test_a_message_that_is_refused_again_and_again_makes_room_for_the_next() -> None:
    sender = Recorder(*[REFUSED] * REFUSALS_MAX)
    post = Post(sender)
    post.courier.start([message(1), message(2)])
    # 0.8 s, 1.6 s, 3.2 s and 6.4 s of pauses.
    await until(lambda: post.forgotten[-1:] == ["m2"])
    assert sender.tried == ["m1"] * REFUSALS_MAX + ["m2"]
    await post.courier.stop()


async def test_a_message_that_is_too_old_is_tried_once_more_and_given_up() -> None:
    sender = Recorder(AWAY)
    post = Post(sender)
    post.now_s += 4 * 24 * 3600
    post.courier.start([message(1), message(2)])
    await until(lambda: post.forgotten[-1:] == ["m2"])
    assert sender.tried == ["m1", "m2"]
    await post.courier.stop()


async def test_of_more_than_may_wait_the_oldest_are_given_up_but_not_what_is_on_its_way() -> None:
    sender = Recorder()
    sender.gate.clear()
    post = Post(sender)
    post.courier.start([message(0)])
    await until(lambda: sender.tried == ["m0"])
    post.courier.take([message(number) for number in range(1, WAITING_MAX + 3)])
    assert post.forgotten == ["m1", "m2", "m3"]
    assert post.courier.states()[0].waiting == WAITING_MAX
    sender.gate.set()
    await until(lambda: len(sender.tried) == WAITING_MAX)
    assert sender.tried[:2] == ["m0", "m4"]
    await post.courier.stop()


async def test_a_message_for_a_channel_that_is_no_more_is_dropped() -> None:
    post = Post(Recorder())
    post.courier.start([message(1, "gone")])
    assert post.forgotten == ["m1"]
    await post.courier.stop()


async def test_what_the_store_never_had_is_not_to_be_removed_there() -> None:
    sender = Recorder()
    post = Post(sender)
    post.courier.start()
    post.courier.take([message(1)], is_kept=False)
    post.courier.take([message(2)])
    await until(lambda: sender.tried == ["m1", "m2"] and post.forgotten)
    assert post.forgotten == ["m2"]
    await post.courier.stop()


async def test_a_stop_waits_for_what_is_being_sent_and_notes_that_it_was_taken() -> None:
    sender = Recorder()
    sender.gate.clear()
    post = Post(sender)
    post.courier.start([message(1), message(2)])
    await until(lambda: sender.tried == ["m1"])
    stopping = asyncio.create_task(post.courier.stop())
    await asyncio.sleep(0)
    sender.gate.set()
    await stopping
    assert "m1" in post.forgotten
    assert sender.closed == 1


async def test_a_test_goes_past_what_waits() -> None:
    sender = Recorder(AWAY, TAKEN)
    post = Post(sender)
    assert await post.courier.test() == {"ops": AWAY}
    assert await post.courier.test() == {"ops": TAKEN}
    assert all(tried.startswith("test-") for tried in sender.tried)
    await post.courier.stop()


async def test_other_senders_go_on_with_what_waits_in_order_and_the_old_ones_are_closed() -> None:
    before, after = Recorder(), Recorder()
    before.gate.clear()
    post = Post(before)
    post.courier.start([message(1), message(2)])
    await until(lambda: before.tried == ["m1"])
    revising = asyncio.create_task(post.courier.revise({"ops": after}))
    await asyncio.sleep(0)
    # In the middle of it: behind what waits.
    post.courier.take([message(3)])
    before.gate.set()
    await revising
    await until(lambda: post.forgotten == ["m1", "m2", "m3"])
    assert (before.tried, after.tried) == (["m1"], ["m2", "m3"])
    assert (before.closed, after.closed) == (1, 0)
    await post.courier.stop()
    assert after.closed == 1


async def test_what_waits_on_a_channel_that_is_no_more_is_dropped_and_a_new_one_is_served() -> None:
    gone, new = Recorder(AWAY, AWAY, AWAY, AWAY), Recorder()
    gone.gate.clear()
    post = Post(gone)
    post.courier.start([message(1)])
    await until(lambda: gone.tried == ["m1"])
    revising = asyncio.create_task(post.courier.revise({"chat": new}))
    await asyncio.sleep(0)
    gone.gate.set()
    await revising
    assert post.forgotten == ["m1"]
    post.courier.take([message(2, "chat")])
    await until(lambda: new.tried == ["m2"])
    assert [state.channel for state in post.courier.states()] == ["chat"]
    await post.courier.stop()


async def test_a_channel_with_a_fault_of_its_own_does_not_spoil_the_test_of_the_others() -> None:
    post = Post(Recorder(RuntimeError("no idea")))
    (sent,) = (await post.courier.test()).values()
    assert sent == Sent(is_taken=False, detail="RuntimeError('no idea')")
    await post.courier.stop()
