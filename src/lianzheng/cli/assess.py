"""``lianzheng assess``: a customer's suitability, with the alliance's bands or without."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lianzheng.cli.documents import read_object
from lianzheng.cli.output import say, show_json, table
from lianzheng.cli.query import print_traces
from lianzheng.cli.session import Config, Json, ask_node, segment

if TYPE_CHECKING:
    from lianzheng.client.http import NodeClient

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The questionnaire, and an assessment with the alliance. 适当性评估")
_TIMEOUT_S = 600


@app.command("questions")
def questions(config: Config, as_json: Json = False) -> None:
    """The questionnaire in use: items with their options."""
    found = ask_node(config, lambda node: node.get("/api/v1/questionnaire"))
    if as_json:
        show_json(found)
        return
    for item in found["items"]:
        say(f"{item['id']}  {item['zh']} / {item['en']}")
        say(*(f"    {one['id']}  {one['zh']} / {one['en']}" for one in item["options"]))


@app.command("run")
def run(
    client: Annotated[str, typer.Argument(help="Client reference, as `enrol find` prints it.")],
    config: Config,
    case: Annotated[str, typer.Option(help="Id of the case; no personal data in it.")],
    answers: Annotated[
        Path | None,
        typer.Option(help='JSON file {"item": "option", …}, \'-\' for standard input; asked for if left out.'),
    ] = None,
    confirm: Annotated[
        list[str] | None, typer.Option(help="Id of a contradiction that the client has confirmed; may be repeated.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Id of an approved task; without one the result is local.")] = None,
    as_json: Json = False,
) -> None:
    """Score the answers and assess. Other members' bands may lower a level, flag or ask for a retest; never raise it.

    Shows level, warnings, each provider's part and where the evidence stands. A provider that refuses or is away never
    blocks the assessment.
    """
    given = None if answers is None else read_object(answers)
    body = {"case_id": case, "client": client, "confirmed": sorted(confirm or ()), "task": task}

    async def send(node: NodeClient) -> dict[str, Any]:
        chosen = given if given is not None else _ask(await node.get("/api/v1/questionnaire"))
        found: dict[str, Any] = await node.post("/api/v1/assessments", {**body, "answers": chosen})
        placed = (await node.get(f"/api/v1/cases/{segment(case)}"))["records"]
        evidence = [{"leaf": one["leaf"], "scene": one["scene"], "state": one["state"]} for one in placed]
        return {"case": case, "client": client, **found, "evidence": evidence}

    found = ask_node(config, send, _TIMEOUT_S)
    if as_json:
        show_json(found)
    else:
        _print(found)


def _ask(questionnaire: dict[str, Any]) -> dict[str, str]:
    """Answers typed at the terminal. Raises ``ConfigError`` ``answers_missing`` where there is none."""
    from lianzheng.errors import ConfigError

    if not sys.stdin.isatty():
        raise ConfigError(
            "answers_missing", "There is no terminal to ask the questions at.", next_step="Name --answers FILE or -."
        )
    chosen = {}
    for item in questionnaire["items"]:
        say(
            f"\n{item['zh']} / {item['en']}",
            *(f"  {o['id']}  {o['zh']} / {o['en']}" for o in item["options"]),
            err=True,
        )
        options = [option["id"] for option in item["options"]]
        answer = ""
        while answer not in options:
            answer = typer.prompt(f"{item['id']} ({'/'.join(options)})", err=True).strip()
        chosen[item["id"]] = answer
    return chosen


def _print(found: dict[str, Any]) -> None:
    level = found["assessment"]
    local = "; local only 仅本机构" if level["local_only"] else ""
    told = level["score"]["level"]
    say(f"level 等级 {level['level']} (questionnaire 问卷 {told}), until {level['valid_until']}{local}")
    if level["lowest_class"]:
        say("lowest class: R1 only 最低类别：仅限R1")
    if level["retest"]:
        say("a retest is asked for 需重新测评")
    say(*(f"  {reason['code']}: {reason['zh']} / {reason['en']}" for reason in level["reasons"]))
    if found["traces"]:
        print_traces([(found["client"], found["traces"])])
    rows = [(one["scene"], one["state"], one["leaf"]) for one in found["evidence"]]
    say(f"evidence of {found['case']} 存证")
    table(("scene 场景", "state 状态", "leaf 叶"), rows)
