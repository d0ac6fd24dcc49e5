"""The watch in a hub that runs: from what happens to what a receiver is told, also while the store takes no commits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from hub.alerts.facts import Disk, NameCounts, PresentNode
from hub.alerts.reading import settings_of
from hub.alerts.watch import AlertWatch
from hub.errors import SettingsError
from hub.store.alerts import AlertMemory, NoteAlerts
from hub.store.contract import Operation, Store
from hub.store.errors import StoreUnavailableError
from hub.store.now import Now
from hub.tokens import create_token
from protocol import frames
from protocol.frames import Inventory, Register
from tests.hub.alerts.looks import HUB, OPS
from tests.hub.alerts.receiver import Receiver
from tests.hub.alerts.test_deliver import Recorder
from tests.hub.harness import done
from tests.hub.running import Running, hear, register, say
from tests.waiting import until

RULES = """
[alerts]
every_s = 0.1
use_defaults = false

[channel.hook]
kind = "webhook"
url = "{url}"
secret = "s3cret"
"""


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver("s3cret") as running:
        yield running


class Hub(Running):
    """A hub with these rules."""

    def __init__(self, folder: Path, receiver: Receiver, *rules: str, **settings: Any) -> None:
        path = folder / "alerts.toml"
        path.write_text(RULES.format(url=receiver.url) + "\n".join(rules))
        super().__init__(folder / "state", alerts=path, **settings)

    async def __aenter__(self) -> Hub:
        await self.service.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.service.stop()


FAST = settings_of(f"[alerts]\nevery_s = 0.1\nuse_defaults = false\n[rule.hub_degraded]\n{OPS}")


class FakeHub:
    """What a watch sees of a hub. Its store answers one question, what is kept; without ``commits`` none ever ends."""

    def __init__(self, *, degraded: str | None = None, bad_looks: int = 0, commits: bool = True) -> None:
        self.degraded = degraded
        self.operations: list[Operation] = []
        self._bad_looks = bad_looks
        self._commits = commits
        self._has_started = False

    def now(self) -> Now:
        return Now(time.time(), time.monotonic())

    def why_degraded(self) -> str | None:
        return self.degraded

    def is_suspicious(self) -> bool:
        return False

    def present(self) -> list[PresentNode]:
        if self._bad_looks:
            self._bad_looks -= 1
            raise RuntimeError("a bug")
        return []

    def take_departures(self) -> list[str]:
        return []

    def ended_by_name(self) -> dict[str, NameCounts]:
        return {}

    def disk_room(self) -> Disk | None:
        return None

    async def read(self, query: Callable[[Store], Any]) -> Any:
        if self._has_started:
            raise StoreUnavailableError("it answers nothing more")
        self._has_started = True
        return AlertMemory(alerts=[], silences=[], messages=[])

    def put(self, operation: Operation) -> asyncio.Future[object]:
        self.operations.append(operation)
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if self._commits:
            done.set_result(None)
        return done

    async def perform(self, operation: Operation) -> object:
        return await self.put(operation)


async def test_a_store_that_takes_no_commits_is_told_from_memory_and_stored_afterwards(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with Hub(tmp_path, receiver, "[rule.hub_degraded]") as hub:
        hub.stores[0].fails = True
        # Anything to be committed: until then nobody can know.
        submitting = asyncio.create_task(hub.call("POST", "/v1/tasks", json={"name": "work"}))
        await until(lambda: receiver.stories("hub_degraded", "") == ["firing"])
        assert "database or disk is full" in receiver.alerts[0]["message"]
        status, refused = await hub.call("POST", "/v1/alerts/silences", json={"for_s": 60})
        assert (status, refused["error"]["code"]) == (503, "degraded")
        hub.stores[0].fails = False
        await until(lambda: receiver.stories("hub_degraded", "") == ["firing", "resolved"])
        assert (await submitting)[0] in {201, 503}

        def kept() -> list[str]:
            memory = hub.stores[0].alerts()
            return [] if memory.messages else [row.state for row in memory.alerts]

        # What was told from memory is in the store too, and is not told again.
        await until(lambda: kept() == ["resolved"])
        kinds = [event.kind for event in hub.stores[0].events(0, 100).events]
        assert [kind for kind in kinds if kind.startswith("alert.")] == ["alert.firing", "alert.resolved"]
    async with Hub(tmp_path, receiver, "[rule.hub_degraded]"):
        assert receiver.stories("hub_degraded", "") == ["firing", "resolved"]


async def test_alerts_are_counted_shown_and_told_as_events(tmp_path: Path, receiver: Receiver) -> None:
    rule = "[rule.disk_low]\nfor_s = 0\nfree_bytes = 1000000000000000"
    async with Hub(tmp_path, receiver, rule) as hub:
        await until(lambda: receiver.alerts)
        _, stats = await hub.call("GET", "/v1/stats")
        assert stats["alerts"] == {"firing": 1, "critical": 1}
        assert stats["verdict"]["reasons"] == ["1 critical alert firing"]
        _, body = await hub.call("GET", "/v1/alerts")
        assert [(alert["rule"], alert["state"]) for alert in body["alerts"]] == [("disk_low", "firing")]
        (channel,) = body["channels"]
        assert (channel["name"], channel["kind"], channel["waiting"]) == ("hook", "webhook", 0)
        url = f"{hub.url}/v1/events?kind=alert&last_event_id=0"
        async with aiohttp.ClientSession() as http, http.get(url) as stream, asyncio.timeout(10):
            while b"alert.firing" not in (line := await stream.content.readline()):
                pass
        assert b'"name":"disk_low"' in line


async def test_a_test_goes_through_each_channel_and_says_what_came_of_it(tmp_path: Path, receiver: Receiver) -> None:
    async with Hub(tmp_path, receiver) as hub:
        status, body = await hub.call("POST", "/v1/alerts/test")
        assert (status, body) == (
            200,
            {"channels": [{"channel": "hook", "ok": True, "detail": "HTTP 200 so it is"}]},
        )
        assert receiver.taken[0]["test"] is True
        receiver.status = 500
        _, body = await hub.call("POST", "/v1/alerts/test")
        assert body["channels"] == [{"channel": "hook", "ok": False, "detail": "HTTP 500 so it is"}]
        actions = [entry["action"] for entry in (await hub.call("GET", "/v1/audit"))[1]["entries"]]
        assert actions == ["alert.test", "alert.test"]


async def test_what_the_core_raises_becomes_an_alert(tmp_path: Path, receiver: Receiver) -> None:
    async with Hub(tmp_path, receiver, "[rule.instance_conflict]") as hub:
        first = await register(hub)
        second = await hub.node()
        await say(second, Register(node_id="n", instance_id="other", slots=1, handlers=[], inventory=Inventory()))
        assert (await hear(second, frames.Refused)).code == "instance_conflict"
        await until(lambda: receiver.stories("instance_conflict", "n") == ["firing"])
        assert receiver.alerts[0]["severity"] == "critical"
        await first.close()
        await second.close()


async def test_a_node_whose_clock_is_wrong_is_told(tmp_path: Path, receiver: Receiver) -> None:
    async with Hub(tmp_path, receiver, "[rule.clock_skew]\nfor_s = 0") as hub:
        socket = await register(hub)
        await say(socket, frames.Heartbeat(sequence=1, at=time.time() + 100.0))
        await until(lambda: receiver.stories("clock_skew", "n") == ["firing"])
        assert 95.0 < receiver.alerts[0]["value"] < 101.0
        await say(socket, frames.Heartbeat(sequence=2, at=time.time()))
        await until(lambda: receiver.stories("clock_skew", "n") == ["firing", "resolved"])
        await socket.close()


async def test_a_name_that_fails_is_told(tmp_path: Path, receiver: Receiver) -> None:
    async with Hub(tmp_path, receiver, "[rule.failure_rate]\nat_least = 3") as hub:
        socket = await register(hub)
        for number in range(3):
            await hub.call("POST", "/v1/tasks", json={"id": f"t{number}", "name": "work"})
            await hear(socket, frames.Task)
            await say(socket, done(f"t{number}", outcome="failed", error=frames.TaskError(kind="error", message="no")))
            await hear(socket, frames.Ack)
        await until(lambda: receiver.stories("failure_rate", "work") == ["firing"])
        assert receiver.alerts[0]["message"].startswith("3 of 3 attempts of work failed")
        await socket.close()


async def test_a_task_that_no_node_can_run_is_told_until_one_can(tmp_path: Path, receiver: Receiver) -> None:
    async with Hub(tmp_path, receiver, "[rule.no_node_for_task]\nfor_s = 0") as hub:
        await hub.call("POST", "/v1/tasks", json={"id": "t", "name": "work"})
        await until(lambda: receiver.stories("no_node_for_task", "work") == ["firing"])
        socket = await register(hub)
        await until(lambda: receiver.stories("no_node_for_task", "work") == ["firing", "resolved"])
        await socket.close()


async def test_a_node_that_comes_and_goes_is_told(tmp_path: Path, receiver: Receiver) -> None:
    async with Hub(tmp_path, receiver, "[rule.node_flapping]\ntimes = 3") as hub:
        for _ in range(3):
            socket = await register(hub)
            await socket.close()
        await until(lambda: receiver.stories("node_flapping", "n") == ["firing"])


async def test_a_token_that_runs_out_is_told(tmp_path: Path, receiver: Receiver) -> None:
    create_token(tmp_path / "state", name="ci", role="read", expires_in_s=3600)
    async with Hub(tmp_path, receiver, "[rule.token_expires]\nwithin_s = 3599.9"):
        await until(lambda: [alert["state"] for alert in receiver.alerts] == ["firing"])
        assert "(ci, read) runs out in 59m" in receiver.alerts[0]["message"]


async def test_a_look_that_fails_does_not_end_the_watch() -> None:
    hub = FakeHub(degraded="disk full", bad_looks=2)
    sender = Recorder()
    alerts = AlertWatch(hub, FAST, HUB, make_senders=lambda *_: {"ops": sender})
    await alerts.start()
    await until(lambda: len(sender.tried) == 1)
    await alerts.stop()


async def test_changes_that_wait_for_a_store_are_bounded_and_told_all_the_same() -> None:
    hub = FakeHub(degraded="disk full", commits=False)
    sender = Recorder()
    alerts = AlertWatch(hub, FAST, HUB, make_senders=lambda *_: {"ops": sender}, unsaved_max=1)
    await alerts.start()
    await until(lambda: len(sender.tried) == 1)
    hub.degraded = None
    await until(lambda: len(sender.tried) == 2)
    kinds = [type(operation).__name__ for operation in hub.operations]
    # What is forgotten stands behind what brings it; what was never brought is not forgotten.
    assert kinds == ["NoteAlerts", "ForgetMessages"]
    await alerts.stop()


async def test_what_one_look_finds_is_stored_however_much_it_is() -> None:
    hub = FakeHub()
    sender = Recorder()
    settings = settings_of(f"[alerts]\nevery_s = 0.1\nuse_defaults = false\n[rule.lease_expired]\n{OPS}")
    alerts = AlertWatch(hub, settings, HUB, make_senders=lambda *_: {"ops": sender}, unsaved_max=2)
    await alerts.start()
    for number in range(3):
        alerts.note_alarm("lease_expired", f"n{number}", "a lease ran out")
    await until(lambda: len(sender.tried) == 1)
    (noted, *_) = hub.operations
    assert isinstance(noted, NoteAlerts)
    assert [row.subject for row in noted.alerts] == ["n0", "n1", "n2"]
    await alerts.stop()


async def test_messages_leave_in_the_order_of_the_looks_also_if_an_earlier_commit_takes_longer() -> None:
    hub = FakeHub(commits=False)
    sender = Recorder()
    settings = settings_of(
        f"[alerts]\nevery_s = 0.1\nuse_defaults = false\n[rule.hub_degraded]\n[rule.lease_expired]\n{OPS}"
    )
    alerts = AlertWatch(hub, settings, HUB, make_senders=lambda *_: {"ops": sender})
    await alerts.start()
    alerts.note_alarm("lease_expired", "n1", "a lease ran out")
    await until(lambda: hub.operations)
    # The second leaves at once, since the hub knows that nothing is committed; the first waits a while to be.
    hub.degraded = "disk full"
    await until(lambda: len(hub.operations) >= 2)
    await until(lambda: len(sender.tried) == 2)
    brought = [
        message.id
        for operation in hub.operations
        if isinstance(operation, NoteAlerts)
        for message in operation.messages
    ]
    assert sender.tried == brought
    await alerts.stop()


async def test_certificates_are_read_from_their_files_and_one_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    soon = datetime.now(UTC) + timedelta(days=3)
    good, bad = tmp_path / "good.pem", tmp_path / "bad.pem"
    trustme.CA().issue_cert("hub.example", not_after=soon).cert_chain_pems[0].write_to_path(good)
    bad.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    sender = Recorder()
    settings = settings_of(f"[alerts]\nevery_s = 0.1\nuse_defaults = false\n[rule.certificate_expires]\n{OPS}")
    paths = [tmp_path / "none.pem", bad, good]
    alerts = AlertWatch(FakeHub(), settings, HUB, make_senders=lambda *_: {"ops": sender}, certificate_paths=paths)
    await alerts.start()
    await until(lambda: len(sender.tried) == 1)
    (shown,) = alerts.shown()
    assert (shown.subject, shown.state) == (str(good), "firing")
    await alerts.stop()


async def test_a_channel_that_names_what_is_not_there_keeps_the_hub_from_starting(
    tmp_path: Path, receiver: Receiver
) -> None:
    hub = Hub(tmp_path, receiver, '[channel.other]\nkind = "webhook"\nurl = "http://a"\nsecret_env = "NOT_SET"')
    with pytest.raises(SettingsError, match=r"\[channel\.other\] secret_env names NOT_SET"):
        await hub.service.start()
    await hub.service.stop()
