"""Every command says what it does and what each option wants."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import typer

from cli_kit import Run
from lianzheng import __version__
from lianzheng.cli.main import app


def commands(
    command: object = None, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], typer.core.TyperCommand | typer.core.TyperGroup]]:
    """Every command and group by its words."""
    found = typer.main.get_command(app) if command is None else command
    yield path, found  # type: ignore[misc]
    for name, inner in getattr(found, "commands", {}).items():
        yield from commands(inner, (*path, name))


ALL = dict(commands())


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_names_every_option_with_its_meaning(run: Run, path: tuple[str, ...]) -> None:
    ended = run(*path, "--help")
    command = ALL[path]
    assert ended.status == 0
    assert (command.help or "").splitlines()[0][:60] in ended.out
    assert len(command.help or "") >= 20
    for parameter in command.params:
        options = [name for name in parameter.opts if name.startswith("--")]
        assert all(option in ended.out for option in options)
        assert getattr(parameter, "help", None), f"{' '.join(path)} {parameter.name}: say what it wants"


@pytest.mark.parametrize("path", [path for path, one in ALL.items() if getattr(one, "commands", {})], ids=" ".join)
def test_a_group_alone_shows_its_commands(run: Run, path: tuple[str, ...]) -> None:
    ended = run(*path)
    assert all(name in ended.out + ended.err for name in ALL[path].commands)  # type: ignore[union-attr]


@pytest.mark.parametrize("words", [["nothing"], ["verify"], ["node", "run"], ["demo", "--pepole", "3"], ["init", "x"]])
def test_wrong_usage_is_status_2_and_points_to_help(run: Run, words: list[str]) -> None:
    ended = run(*words)
    assert ended.status == 2
    assert "--help" in ended.err


def test_the_version(run: Run) -> None:
    assert run("--version").out == f"lianzheng {__version__}\n"


def test_ctrl_c_is_status_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lianzheng.cli.verify.verify_bundle", interrupted)
    assert run("verify", __file__).status == 130
