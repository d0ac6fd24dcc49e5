from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from moorline.testing import LocalClient, LocalSyncClient
from tests.moorline.sample_tasks import add

SUITE = """
from moorline import task

@task
def add(a: int, b: int) -> int:
    return a + b

async def test_async(moorline_client):
    assert await (await moorline_client.submit(add, 1, 2)).result() == 3

def test_sync(moorline_sync_client):
    assert moorline_sync_client.submit(add, 1, 2).result() == 3
"""


async def test_the_fixture_runs_tasks(moorline_client: LocalClient) -> None:
    assert await (await moorline_client.submit(add, 1, 2)).result() == 3


def test_the_sync_fixture_runs_tasks(moorline_sync_client: LocalSyncClient) -> None:
    assert moorline_sync_client.submit(add, 1, 2).result() == 3


def test_the_fixtures_are_there_for_whoever_has_the_package(tmp_path: Path) -> None:
    (tmp_path / "test_pack.py").write_text(SUITE)
    program = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_plugin_loads_no_client_before_a_fixture_is_asked_for() -> None:
    program = "import sys, moorline.pytest_plugin; print('aiohttp' in sys.modules, 'moorline.client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
