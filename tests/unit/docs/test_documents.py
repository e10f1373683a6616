"""What the documents promise exists: links, commands, output, rule numbers, reason codes, tags."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from arch.source import REPOSITORY, SOURCE, python_files
from lianzheng.cli.main import app

DOCUMENTS = sorted(
    path for path in [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")] if path.name != "0000-template.md"
)
READMES = [REPOSITORY / "README.md", REPOSITORY / "README.zh.md"]
SPEC = REPOSITORY / "docs" / "spec"
DEMO_OUTPUT = REPOSITORY / "docs" / "demo-output.txt"
TOUR_OUTPUT = REPOSITORY / "docs" / "tour-output.txt"
LEFT_OUT = "…"

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_RULE = re.compile(r"\b(?:CON|ID|EQ|OPRF|AUTH|GATE|PIR|ENG|PSI|STAT|TASK|BBS|ZKS|EV|LED)-[0-9]+\b")
_LAYOUT = re.compile(r"\bB([0-9]{1,2})\b")
_PATH = re.compile(r"`((?:src|tests|docs|tools|benchmarks|openapi|requirements)/[A-Za-z0-9_./-]+)`")
_MODULE = re.compile(r"`([a-z_]+/[a-z0-9_/]+\.(?:py|json))`")


def _name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def _text(path: Path) -> str:
    return path.read_text("utf-8")


def _marked(path: Path, mark: str) -> str:
    found = re.search(rf"<!-- {mark} -->(.*?)<!-- /{mark} -->", _text(path), re.DOTALL)
    assert found is not None, f"{_name(path)} has no part marked {mark}"
    return found.group(1)


def _commands(path: Path) -> Iterator[list[str]]:
    for block in _FENCE.findall(_text(path)):
        for line in block.splitlines():
            words = line.removeprefix("$ ").strip()
            if words.startswith("lianzheng "):
                yield shlex.split(words.split(" > ")[0], comments=True)


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_links_lead_to_files(document: Path) -> None:
    for target in _LINK.findall(_text(document)):
        if re.match(r"[a-z]+:", target):
            continue
        path = target.partition("#")[0]
        assert not path or (document.parent / path).exists(), f"{_name(document)}: {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_files_named_exist(document: Path) -> None:
    text = _text(document)
    for path in _PATH.findall(text):
        assert (REPOSITORY / path).exists(), f"{_name(document)}: {path}"
    for path in _MODULE.findall(text):
        held = [SOURCE / path, REPOSITORY / path, *SOURCE.rglob(f"*/{path}")]
        assert any(one.exists() for one in held), f"{_name(document)}: {path}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_commands_exist_with_their_options(document: Path) -> None:
    root = typer.main.get_command(app)
    for words in _commands(document):
        command: Any = root
        rest = words[1:]
        while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
            assert rest[0] in command.commands, f"{_name(document)}: {' '.join(words)}"
            command, rest = command.commands[rest[0]], rest[1:]
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        for word in rest:
            if word.startswith("--") and word != "--help":
                assert word.partition("=")[0] in options, f"{_name(document)}: {' '.join(words)}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", _text(REPOSITORY / "Makefile"), re.MULTILINE))
    for target in re.findall(r"(?:`|^|\$ )make ([a-z-]+)", _text(document), re.MULTILINE):
        assert target in targets, f"{_name(document)}: make {target}"


@pytest.mark.parametrize("document", READMES, ids=_name)
def test_what_the_readme_shows_of_the_demo_is_its_stored_output(document: Path) -> None:
    stored = {line.rstrip() for line in _text(DEMO_OUTPUT).splitlines()}
    (block,) = _FENCE.findall(_marked(document, "demo-output"))
    for line in block.splitlines():
        assert line == LEFT_OUT or line.rstrip() in stored, line


def test_stored_demo_output_has_the_steps_of_the_scene() -> None:
    played = re.findall(r"screen\.step\(\s*\"([^\"]+)\"", _text(SOURCE / "demo" / "scene.py"))
    shown = re.findall(r"^[0-9]+ · (.+?) ─", _text(DEMO_OUTPUT), re.MULTILINE)
    assert len(played) == 10
    assert shown == played, "play the demo again: COLUMNS=112 lianzheng demo, and store what it prints"
    assert _text(DEMO_OUTPUT).rstrip().splitlines()[-1].startswith("All as it must be.")


@pytest.mark.parametrize("document", READMES, ids=_name)
def test_what_the_readme_shows_of_the_tour_is_its_stored_output(document: Path) -> None:
    stored = {line.rstrip() for line in _text(TOUR_OUTPUT).splitlines()}
    for block in _FENCE.findall(_marked(document, "tour")):
        for line in block.splitlines():
            if line.startswith("$ ") or line == LEFT_OUT:
                continue
            assert line.rstrip() in stored, line


def test_the_tour_founds_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo-out").mkdir()
    (tmp_path / "demo-out" / "agreement.txt").write_text("agreement", "utf-8")
    monkeypatch.chdir(tmp_path)
    stored = [line.split(" ")[0] for line in _text(TOUR_OUTPUT).splitlines()]
    runner = CliRunner()
    commands = [words for words in _commands(READMES[0]) if words[1] == "init"]
    assert len(commands) == 3
    for words in commands:
        result = runner.invoke(app, words[1:])
        assert result.exit_code == 0, result.output
        assert {line.split(" ")[0] for line in result.output.splitlines()} <= set(stored)
    assert (tmp_path / "tour" / "genesis.json").is_file()


def test_every_rule_that_code_cites_is_in_the_specification() -> None:
    written = set(_RULE.findall(_text(SPEC / "rules.md") + _text(SPEC / "conventions.md")))
    cited = {rule: path for path in python_files("src") for rule in _RULE.findall(_text(path))}
    missing = {rule: _name(path) for rule, path in cited.items() if rule not in written}
    assert not missing


def test_every_layout_that_code_cites_is_in_the_specification() -> None:
    text = _text(SPEC / "rules.md") + _text(SPEC / "conventions.md")
    written = {int(number) for number in _LAYOUT.findall(text)}
    for first, last in re.findall(r"\bB([0-9]+) to B([0-9]+)\b", text):
        written |= set(range(int(first), int(last) + 1))
    cited = {
        int(number)
        for path in python_files("src")
        for docstring in re.findall(r'"""(.*?)"""', _text(path), re.DOTALL)
        for number in _LAYOUT.findall(docstring)
    }
    assert cited <= written, sorted(cited - written)


def test_every_rule_of_the_pages_is_in_the_list_of_rules() -> None:
    written = set(_RULE.findall(_text(SPEC / "rules.md") + _text(SPEC / "conventions.md")))
    for page in SPEC.glob("*.md"):
        missing = set(_RULE.findall(_text(page))) - written
        # "ID-4 to ID-6" names ends of a range; every number between is listed by the test above where code cites it.
        assert not missing, f"{_name(page)}: {sorted(missing)}"


def test_every_domain_tag_is_in_the_conventions() -> None:
    call = re.compile(r"\b(?:tagged|sha256|sm3)\(\s*[\"']([a-z0-9-]+)[\"']")
    page = _text(SPEC / "conventions.md")
    for path in python_files("src"):
        for purpose in call.findall(_text(path)):
            assert f"`{purpose}`" in page, f"{_name(path)}: tag {purpose}"


def test_every_page_of_the_specification_is_in_its_index() -> None:
    index = _text(SPEC / "README.md")
    for page in SPEC.glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index, page.name


def test_every_decision_is_in_the_index() -> None:
    folder = REPOSITORY / "docs" / "adr"
    index = _text(folder / "README.md")
    for page in folder.glob("[0-9]*.md"):
        assert page.name == "0000-template.md" or f"]({page.name})" in index, page.name


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_names_with_underscores_are_codes_or_names_of_the_source(document: Path) -> None:
    """A reason code, a member of a message or a function that is gone from the source may not live on in a document."""
    source = "".join(_text(path) for path in [*python_files("src"), *SOURCE.rglob("*.json")])
    known = set(re.findall(r"[a-z]+(?:_[a-z0-9]+)+", source))
    named = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", _text(document)))
    assert named <= known, sorted(named - known)


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_classes_and_methods_named_exist(document: Path) -> None:
    source = "".join(_text(path) for path in python_files("src", "tests"))
    for cls, method in re.findall(r"`([A-Z][a-z]+[A-Z][A-Za-z]+)(?:\.([a-z_]+))?[`(]", _text(document)):
        assert re.search(rf"\b{cls}\b", source), f"{_name(document)}: {cls}"
        assert not method or re.search(rf"\b{method}\b *[:(]", source), f"{_name(document)}: {cls}.{method}"


def test_routes_named_exist() -> None:
    published = "".join(_text(path) for path in (REPOSITORY / "openapi").glob("*.json"))
    routes = [re.sub(r"\{[^}]*\}", "{}", route) for route in re.findall(r'"(/[a-z0-9./_{}-]+)":', published)]
    for document in DOCUMENTS:
        for named in re.findall(r"(?:GET|POST) (/(?:api|peer)/v1/[a-z0-9/_{}-]+)", _text(document).replace("\n", " ")):
            assert re.sub(r"\{[^}]*\}", "{}", named) in routes, f"{_name(document)}: {named}"
