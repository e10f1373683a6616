"""The whole scene as its user starts it: plays through, leaves a bundle that stands alone, and no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.demo
COMMAND = (sys.executable, "-m", "lianzheng")
PEOPLE = "40"
PLAY_S = 240
"""Ten times what it takes on two idle cores."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that one complete run wrote."""
    out = tmp_path_factory.mktemp("demo") / "out"
    command = [*COMMAND, "demo", "--people", PEOPLE, "--seed", "3", "--out", str(out)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PLAY_S)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    return out


def test_no_node_outlives_the_scene(played: Path) -> None:
    assert processes_naming(played) == []


def test_the_bundle_verifies_with_no_node_up(played: Path) -> None:
    trust = str(played / "network.trust.json")
    (bundle,) = (str(path) for path in played.glob("*.bundle.json"))
    assert _verify(bundle, "--trust", trust) == 0
    assert _verify(bundle) == 3
    assert _verify(bundle, "--trust", str(played / "another-network.trust.json")) == 1


def test_a_changed_byte_is_refused(played: Path, tmp_path: Path) -> None:
    (bundle,) = played.glob("*.bundle.json")
    data = bytearray(bundle.read_bytes())
    middle = len(data) // 2
    data[middle] = ord("x") if data[middle] != ord("x") else ord("y")
    changed = tmp_path / "changed.json"
    changed.write_bytes(data)
    assert _verify(str(changed), "--trust", str(played / "network.trust.json")) == 1


@pytest.mark.parametrize(
    ("sent", "step", "status"),
    [(signal.SIGINT, "1 ·", 130), (signal.SIGINT, "4 ·", 130), (signal.SIGKILL, "2 ·", -signal.SIGKILL)],
)
def test_interrupted_it_leaves_no_process_behind(tmp_path: Path, sent: signal.Signals, step: str, status: int) -> None:
    """Ctrl-C while the nodes start and in the midst of their work; and the end that no program can prepare for."""
    out, shown = tmp_path / "out", tmp_path / "shown.txt"
    command = [*COMMAND, "demo", "--people", PEOPLE, "--out", str(out)]
    with shown.open("wb") as file:
        scene = subprocess.Popen(
            command, stdout=file, stderr=file, start_new_session=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
        )
    try:
        assert wait_until(lambda: step in shown.read_text()), "the scene reaches this step"
        scene.send_signal(sent)
        assert scene.wait(60) == status
        assert wait_until(lambda: processes_naming(out) == []), "a node outlived the scene"
    finally:
        scene.kill()


def processes_naming(folder: Path) -> list[int]:
    """Ids of living processes whose command line names ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue  # it has just ended
    return found


def wait_until(holds: Callable[[], bool], timeout_s: int = 60) -> bool:
    """Whether ``holds()`` became true in time."""
    for _ in range(timeout_s * 10):
        if holds():
            return True
        time.sleep(0.1)
    return False


def _verify(*arguments: str) -> int:
    return subprocess.run([*COMMAND, "verify", *arguments], capture_output=True, timeout=60).returncode
