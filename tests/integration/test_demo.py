"""The whole scene in a process of its own: what it ends with, and that nothing of it stays behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from network_kit import processes_naming

pytestmark = pytest.mark.demo

PEOPLE = 40
SCENE_S = 120
"""Six times what it takes alone: other tests share the machine."""
GONE_S = 20
STEPS = (
    "Founders",
    "Data",
    "Enrolment",
    "Consent",
    "Task contract",
    "Hidden query",
    "Assessment",
    "Evidence",
    "Refusals",
    "The point of it",
)
_RANDOM = random.Random(20)
MOMENTS = [(step, _RANDOM.randrange(0, 800)) for step in (1, 2, 3, 5)]
"""Step and milliseconds into it; drawn once, so that a failure can be played again by its name."""


def start(out: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """``lianzheng demo`` as a shell would start it: in a process group of its own."""
    command = [sys.executable, "-m", "lianzheng", "demo", "--people", str(PEOPLE), "--out", str(out), *arguments]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, start_new_session=True
    )


def finish(process: subprocess.Popen[bytes], timeout_s: float = SCENE_S) -> str:
    """Its output once it has ended."""
    output, _ = process.communicate(timeout=timeout_s)
    return output.decode()


def assert_gone(out: Path) -> None:
    """No process names this folder any more; the kernel may take a moment after a SIGKILL."""
    until = time.monotonic() + GONE_S
    while processes_naming(out) and time.monotonic() < until:
        time.sleep(0.05)
    assert processes_naming(out) == []


def wait_for_nodes(process: subprocess.Popen[bytes], out: Path, count: int) -> list[int]:
    """Process ids of the nodes once there are ``count`` of them."""
    until = time.monotonic() + SCENE_S
    while time.monotonic() < until and process.poll() is None:
        found = [pid for pid in processes_naming(out) if pid != process.pid]
        if len(found) >= count:
            return found
        time.sleep(0.02)
    raise AssertionError(f"the nodes did not start: {finish(process, 5)}")


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "demo-out"
    yield folder
    assert_gone(folder)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that one complete run wrote."""
    out = tmp_path_factory.mktemp("demo") / "out"
    process = start(out, "--seed", "3")
    output = finish(process)
    assert process.returncode == 0, output
    (out / "output.txt").write_text(output)
    assert_gone(out)
    return out


def test_the_scene_ends_as_it_must(played: Path) -> None:
    output = (played / "output.txt").read_text()
    assert "All as it must be." in output
    assert "fewer than 100 people" in output, "small runs are less anonymous, and say so"
    for number, title in enumerate(STEPS, 1):
        assert f"{number} · {title}" in output
    assert "Traceback" not in output


def test_the_bundle_verifies_with_no_node_up(played: Path, tmp_path: Path) -> None:
    (bundle,) = played.glob("*.bundle.json")
    trust = ("--trust", str(played / "network.trust.json"))
    assert verify(bundle, *trust) == 0
    assert verify(bundle) == 3
    assert verify(bundle, "--trust", str(played / "another-network.trust.json")) == 1
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "changed.json").write_bytes(data)
    assert verify(tmp_path / "changed.json", *trust) == 1


def verify(bundle: Path, *arguments: str) -> int:
    """Exit status of the offline auditor."""
    command = [sys.executable, "-m", "lianzheng", "verify", str(bundle), *arguments]
    return subprocess.run(command, check=False, capture_output=True, timeout=60).returncode


@pytest.mark.parametrize("moment_s", [0.02, 0.1, 0.3, 0.6])
def test_ctrl_c_before_the_first_line(out: Path, moment_s: float) -> None:
    """While Python and the project are being loaded."""
    process = start(out)
    time.sleep(moment_s)
    os.killpg(process.pid, signal.SIGINT)
    output = finish(process, 30)
    # The interpreter itself may not have come up far enough to answer: then any end but success is right.
    assert process.returncode in (130, -signal.SIGINT, 1), output


@pytest.mark.parametrize(("step", "more_ms"), MOMENTS, ids=str)
def test_ctrl_c_in_the_middle_leaves_nothing_behind(out: Path, step: int, more_ms: int) -> None:
    process = start(out)
    assert process.stdout is not None
    shown = b""
    while f"{step} · {STEPS[step - 1]}".encode() not in shown:
        line = process.stdout.readline()
        assert line, shown.decode()
        shown += line
    time.sleep(more_ms / 1000)
    os.killpg(process.pid, signal.SIGINT)
    output = finish(process, 30)
    assert process.returncode == 130, output
    assert "interrupted; the nodes are stopped" in output
    assert "Traceback" not in output
    assert_gone(out)


def test_ctrl_c_while_the_nodes_start(out: Path) -> None:
    process = start(out)
    nodes = wait_for_nodes(process, out, 1)
    process.send_signal(signal.SIGINT)
    output = finish(process, 30)
    assert process.returncode == 130, output
    assert nodes
    assert_gone(out)


def test_a_second_ctrl_c_is_no_trouble(out: Path) -> None:
    process = start(out)
    wait_for_nodes(process, out, 3)
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    finish(process, 30)
    assert process.returncode in (130, -signal.SIGINT)
    assert_gone(out)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("nodes", [1, 3])
def test_no_death_of_the_scene_leaves_a_node(out: Path, number: signal.Signals, nodes: int) -> None:
    """The kernel ends the nodes with their parent (PR_SET_PDEATHSIG)."""
    process = start(out)
    wait_for_nodes(process, out, nodes)
    process.send_signal(number)
    finish(process, 30)
    assert process.returncode == -number
    assert_gone(out)


def test_serve_stays_up_and_holds_its_folder(out: Path) -> None:
    process = start(out, "--serve", "--people", "20")
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.decode())
        if "Ctrl-C stops all three" in lines[-1]:
            break
    assert len(wait_for_nodes(process, out, 3)) == 3, "".join(lines)
    assert "/docs" in "".join(lines)
    second = start(out)
    assert "out_in_use" in finish(second, 30)
    assert second.returncode == 1
    assert len(wait_for_nodes(process, out, 3)) == 3, "the second scene must not touch the first one's folder"
    os.killpg(process.pid, signal.SIGINT)
    finish(process, 30)
    assert process.returncode == 0


def test_a_foreign_folder_is_left_alone(out: Path) -> None:
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    process = start(out)
    output = finish(process, 30)
    assert process.returncode == 1
    assert "out_not_empty" in output and "--out" in output
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_folders_place_is_left_alone(out: Path) -> None:
    out.write_text("mine")
    process = start(out)
    assert "out_not_empty" in finish(process, 30)
    assert process.returncode == 1
    assert out.read_text() == "mine"


@pytest.mark.parametrize("people", ["0", "19", "5001", "many"])
def test_a_number_of_people_that_cannot_be_played_is_wrong_usage(out: Path, people: str) -> None:
    process = start(out, "--people", people)
    assert "--people" in finish(process, 30)
    assert process.returncode == 2
    assert not out.exists()
