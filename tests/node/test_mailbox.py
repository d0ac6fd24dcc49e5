"""Handing things from threads to an event loop."""

from __future__ import annotations

import asyncio
import threading

from node.mailbox import Mailbox


async def test_all_that_many_threads_put_arrives_each_threads_in_its_order() -> None:
    taken: list[tuple[int, int]] = []
    done = asyncio.Event()

    def take(items: list[tuple[int, int]]) -> None:
        taken.extend(items)
        if len(taken) == 4000:
            done.set()

    mailbox: Mailbox[tuple[int, int]] = Mailbox(asyncio.get_running_loop(), take)

    def put(thread: int) -> None:
        for number in range(1000):
            mailbox.put((thread, number))

    threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    async with asyncio.timeout(10):
        await done.wait()
    for thread in threads:
        thread.join()
    for number in range(4):
        assert [item for of, item in taken if of == number] == list(range(1000))


async def test_a_batch_wakes_the_loop_once() -> None:
    batches: list[list[int]] = []
    mailbox = Mailbox(asyncio.get_running_loop(), batches.append)
    for number in range(5):
        mailbox.put(number)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert batches == [[0, 1, 2, 3, 4]]


def test_putting_after_the_loop_is_closed_is_harmless() -> None:
    loop = asyncio.new_event_loop()
    mailbox: Mailbox[int] = Mailbox(loop, lambda _: None)
    loop.close()
    mailbox.put(1)
