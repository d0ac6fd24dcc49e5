"""The folder that makes a node the same node after a restart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from node.errors import StateFolderError, StateFolderLockedError
from node.state_folder import StateFolder
from protocol.limits import PREDECESSORS_MAX, is_identifier


def test_each_start_is_a_new_instance_that_names_those_before_it(tmp_path: Path) -> None:
    instances: list[str] = []
    for _ in range(3):
        folder = StateFolder(tmp_path / "state")
        assert folder.predecessors == instances
        instances.append(folder.instance_id)
        folder.close()
    assert len(set(instances)) == 3
    assert all(is_identifier(instance) for instance in instances)


def test_predecessors_are_forgotten_once_a_hub_knows_that_they_are_dead(tmp_path: Path) -> None:
    StateFolder(tmp_path).close()
    second = StateFolder(tmp_path)
    second.forget_predecessors()
    second.forget_predecessors()
    second.close()
    third = StateFolder(tmp_path)
    assert third.predecessors == [second.instance_id]
    third.close()


def test_only_the_newest_predecessors_are_named(tmp_path: Path) -> None:
    (tmp_path / "instances").write_text("".join(f"i{number}\n" for number in range(150)))
    folder = StateFolder(tmp_path)
    assert folder.predecessors == [f"i{number}" for number in range(150 - PREDECESSORS_MAX, 150)]
    folder.close()


def test_a_torn_line_is_no_instance(tmp_path: Path) -> None:
    (tmp_path / "instances").write_bytes(b"good\n\xff\xfe\n bad\n\nfine")
    folder = StateFolder(tmp_path)
    assert folder.predecessors == ["good", "fine"]
    folder.close()


HOLDER = """
import sys
from pathlib import Path
from node.state_folder import StateFolder
folder = StateFolder(Path(sys.argv[1]))
print(folder.instance_id, flush=True)
sys.stdin.read()
"""


def test_a_folder_that_another_process_holds_is_refused_with_its_id(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        instance_id = holder.stdout.readline().strip()
        with pytest.raises(StateFolderLockedError, match=f"process {holder.pid};"):
            StateFolder(tmp_path)
        holder.kill()
        holder.wait()
        # Its death frees the lock, and what it wrote before it registered is there.
        folder = StateFolder(tmp_path)
        assert folder.predecessors == [instance_id]
        folder.close()
        folder.close()


def test_a_folder_that_cannot_be_made_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateFolderError, match="--state"):
        StateFolder(tmp_path / "file" / "state")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_folder_that_cannot_be_written_lets_its_lock_go(tmp_path: Path) -> None:
    (tmp_path / "instances.new").mkdir()
    before = descriptors()
    with pytest.raises(StateFolderError):
        StateFolder(tmp_path)
    assert descriptors() == before
