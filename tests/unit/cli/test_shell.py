"""What a shell sees: exit statuses, problem+json, Ctrl-C, completion, prompts that show nothing."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from arch.source import REPOSITORY
from cli_kit import LIANZHENG, Run, typed
from lianzheng.cli.exits import STATUSES, exit_status
from lianzheng.cli.session import segment
from lianzheng.encoding.canonical import parse
from lianzheng.errors import ConfigError, FormatError, RefusedError, UnavailableError
from node_kit import make_home

GUIDE = (REPOSITORY / "docs" / "guides" / "cli.md").read_text("utf-8")
NUMBER = "99010119800520001X"


def home_at(folder: Path, port: int) -> Path:
    """Configuration of a node whose internal API would be at this port."""
    make_home(folder / "home")
    config = folder / "home" / "node.toml"
    config.write_text(config.read_text("utf-8").replace("port = 0", f"port = {port}", 1), "utf-8")
    return config


@pytest.fixture
def nobody(tmp_path: Path) -> Path:
    """Configuration of a node that does not run: the port is held, and nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return home_at(tmp_path, held.getsockname()[1])


def test_the_guide_has_every_exit_status() -> None:
    rows = re.findall(r"^\| ([0-9]+) \| (.*?) \|$", GUIDE, re.MULTILINE)
    assert {int(number): text for number, text in rows} == STATUSES


def test_a_part_that_is_away_is_not_a_refusal() -> None:
    assert exit_status(UnavailableError("ledger_unavailable", "x")) == 4
    assert exit_status(RefusedError("purpose_unknown", "x")) == exit_status(ConfigError("file_exists", "x")) == 1


def test_the_same_error_for_people_and_for_programs(run: Run, nobody: Path) -> None:
    people = run("task", "list", "--config", nobody)
    assert (people.status, people.out) == (4, "")
    assert people.err.splitlines()[0] == "node_unreachable: The node does not answer."
    program = run("task", "list", "--config", nobody, "--json")
    assert (program.status, program.out, program.err.count("\n")) == (4, "", 1)
    assert parse(program.err.strip().encode()) == {
        "code": "node_unreachable",
        "next_step": "Is `lianzheng node run` running there?",
        "status": 503,
        "title": "The node does not answer.",
        "type": "urn:lianzheng:problem:node_unreachable",
    }


@pytest.mark.parametrize(
    "words",
    [
        ["query", "run", "--task", "x"],
        ["query", "run", "c-x", "--file", "y", "--task", "x"],
        ["task", "refuse", "x", "--reason", "because"],
        ["consent", "offer", "c-x", "--queries", "0"],
        ["wallet", "create", "--wallet", "w"],
    ],
)
def test_wrong_usage_sends_nothing(run: Run, nobody: Path, words: list[str]) -> None:
    config = [] if words[0] == "wallet" else ["--config", nobody]
    assert run(*words, *config).status == 2


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "a?b", "%2e", "a b", "é", "x" * 201, "a\n"])
def test_an_id_names_no_other_route(text: str) -> None:
    with pytest.raises(FormatError, match="name_malformed"):
        segment(text)
    assert segment("case-1_x.y") == "case-1_x.y"


def test_no_command_takes_an_identity_number(run: Run) -> None:
    """Every way in is a file, standard input or a prompt, and the help says why."""
    for words in (("enrol", "find"), ("wallet", "enrol"), ("wallet", "request"), ("wallet", "receive")):
        shown = " ".join(re.sub(r"[│╭╮╰╯─]", " ", run(*words, "--help").out).split())
        assert "Never on the command line, where `ps` would show it." in shown
        assert "--number" not in shown


def test_ctrl_c_while_a_node_is_silent(tmp_path: Path) -> None:
    """A node that takes the connection and says nothing: one line, status 130, no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = home_at(tmp_path, silent.getsockname()[1])
        words = [str(LIANZHENG), "task", "list", "--config", str(config)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        silent.settimeout(60)
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"interrupted\n")


def test_a_number_typed_at_a_terminal_is_not_shown(nobody: Path) -> None:
    exchanges = [("RESIDENT_ID", ""), ("CN", ""), ("not shown", NUMBER)]
    status, screen = typed(["enrol", "find", "--config", nobody], exchanges)
    assert (status, "node_unreachable" in screen, NUMBER in screen) == (4, True, False)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["lianzheng", "con"], {"consent", "conformance"}),
        (["lianzheng", "task", "re"], {"refuse", "report"}),
        (["lianzheng", "task", "refuse", "--rea"], {"--reason"}),
        (["lianzheng", "task", "refuse", "--reason", "qu"], {"quota"}),
        (["lianzheng", "wallet", "re"], {"receive", "recover", "request", "restore", "resume"}),
    ],
)
def test_bash_completes(words: list[str], offered: set[str]) -> None:
    """The script that `--show-completion` prints, in a real bash."""
    line = " ".join(f"'{word}'" for word in words)
    script = (
        f'eval "$(_LIANZHENG_COMPLETE=source_bash {LIANZHENG})"; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; '
        f'_lianzheng_completion {LIANZHENG}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    ended = subprocess.run(["bash", "-c", script], capture_output=True, check=True, text=True)
    assert set(ended.stdout.split()) == offered


@pytest.mark.parametrize(("shell", "holds"), [("zsh", "#compdef lianzheng"), ("fish", "complete --command lianzheng")])
def test_scripts_for_other_shells(shell: str, holds: str) -> None:
    environment = os.environ | {"_LIANZHENG_COMPLETE": f"source_{shell}"}
    assert holds in subprocess.run([LIANZHENG], env=environment, capture_output=True, check=True, text=True).stdout


def test_completion_is_installed_for_bash(tmp_path: Path) -> None:
    environment = os.environ | {"HOME": str(tmp_path)}
    words = ["bash", "-c", f"{LIANZHENG} --install-completion; exit $?"]
    subprocess.run(words, env=environment, capture_output=True, check=True)
    assert "_lianzheng_completion" in (tmp_path / ".bash_completions" / "lianzheng.sh").read_text("utf-8")
    assert "lianzheng.sh" in (tmp_path / ".bashrc").read_text("utf-8")
