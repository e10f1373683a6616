"""``lianzheng task``: contracts under which members compute together (TASK-1)."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lianzheng.cli.output import say, show, show_json, table
from lianzheng.cli.session import ID, Config, Json, ask_node, segment

if TYPE_CHECKING:
    from lianzheng.client.http import NodeClient

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Propose, decide on, look at and end contracts. 联合计算任务")
_Task = Annotated[str, typer.Argument(metavar="TASK", help="Id of the task.")]
_Purpose = Annotated[str, typer.Option(help="Registered purpose.")]
_Function = Annotated[str, typer.Option(help="Registered function.")]


class Refusal(StrEnum):
    """Why a task is refused."""

    LEGAL_BASIS = "legal-basis"
    IMPACT_ASSESSMENT = "impact-assessment"
    PURPOSE = "purpose"
    VIEWS = "views"
    QUOTA = "quota"
    CAPACITY = "capacity"
    OTHER = "other"


@app.command("offers")
def offers(
    config: Config,
    purpose: _Purpose = "suitability-assessment",
    function: _Function = "hidden-query",
    as_json: Json = False,
) -> None:
    """What the other members offer for a purpose."""
    found = ask_node(config, lambda node: _catalogue(node, purpose, function))
    rows = [(one["name"], " ".join(one["views"]), one["provider"]) for one in found["offers"]]
    show(found, as_json, ("name 名称", "views 视图", "provider 提供机构"), rows)


@app.command("propose")
def propose(
    config: Config,
    impact_assessment: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="The impact assessment; only its digest is sent.")
    ],
    quota: Annotated[int, typer.Option(min=1, help="Uses at each provider: persons times views times epochs.")],
    purpose: _Purpose = "suitability-assessment",
    function: _Function = "hidden-query",
    provider: Annotated[
        list[str] | None, typer.Option(help="DID of a member to be asked; may be repeated. All who offer, if left out.")
    ] = None,
    view: Annotated[
        list[str] | None, typer.Option(help="dataset/bundle/form; may be repeated. All that they offer, if left out.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="How long the contract lasts.")] = 30,
    as_json: Json = False,
) -> None:
    """Propose a contract; each provider then approves or refuses for itself."""
    from lianzheng.clock import DAY_MS, SystemClock
    from lianzheng.compute.tasks.model import TaskContract
    from lianzheng.crypto.digest import sha256_raw
    from lianzheng.encoding.binary import b64u_encode

    async def send(node: NodeClient) -> dict[str, Any]:
        me = (await node.get("/api/v1/network"))["did"]
        views = _choose(await _catalogue(node, purpose, function), provider or [], view or [])
        contract = TaskContract.from_json(
            {
                "v": 1,
                "function": function,
                "function_version": 1,
                "requester": me,
                "providers": sorted(views),
                "views": sorted(one for own in views.values() for one in own),
                "purpose": purpose,
                "parameters": {},
                "receiver": me,
                "quota": quota,
                "expires_ms": SystemClock().now_ms() + days * DAY_MS,
                "impact_assessment": b64u_encode(sha256_raw(impact_assessment.read_bytes())),
            }
        )
        sent: dict[str, Any] = await node.post("/api/v1/tasks", contract.to_json())
        return {**sent, "providers": list(contract.providers), "views": list(contract.views)}

    found = ask_node(config, send)
    if as_json:
        show_json(found)
        return
    say(f"task {found['task']}, height {found['height']}")
    say(*(f"  to be approved by {one}" for one in found["providers"]))


@app.command("approve", context_settings=ID)
def approve(task: _Task, config: Config, as_json: Json = False) -> None:
    """Approve as a named provider: this node answers from now on."""
    _sent(ask_node(config, lambda node: node.post(f"/api/v1/tasks/{segment(task)}/approval")), as_json)


@app.command("refuse", context_settings=ID)
def refuse(
    task: _Task,
    config: Config,
    reason: Annotated[Refusal, typer.Option(help="Why; a code, never free text.")],
    as_json: Json = False,
) -> None:
    """Refuse as a named provider."""
    body = {"reason": reason.value}
    _sent(ask_node(config, lambda node: node.post(f"/api/v1/tasks/{segment(task)}/refusal", body)), as_json)


@app.command("list")
def list_tasks(config: Config, as_json: Json = False) -> None:
    """Every contract of this member, asking or answering."""
    from lianzheng.clock import day_of

    found = ask_node(config, lambda node: node.get("/api/v1/tasks"))
    rows = [
        (one["task"], one["status"], one["contract"]["purpose"], day_of(one["contract"]["expires_ms"]))
        for one in found["tasks"]
    ]
    show(found, as_json, ("task 任务", "status 状态", "purpose 目的", "until 期限"), rows)


@app.command("show", context_settings=ID)
def show_task(task: _Task, config: Config, as_json: Json = False) -> None:
    """One contract with each provider's decision and report."""
    found = ask_node(config, lambda node: node.get(f"/api/v1/tasks/{segment(task)}"))
    if as_json:
        show_json(found)
        return
    contract = found["contract"]
    say(f"task {task}: {found['status']}, {contract['function']} for {contract['purpose']}")
    say(f"asked by {contract['requester']}, quota {contract['quota']}", *(f"  {view}" for view in contract["views"]))
    rows = []
    for did, one in sorted(found["providers"].items()):
        counts = "–" if one["report"] is None else str(one["report"]["counts"]["uses"])
        rows.append((did, one["decision"] or "open 未决", counts))
    table(("provider 提供机构", "decision 决定", "reported uses 申报次数"), rows)


@app.command("report", context_settings=ID)
def report(task: _Task, config: Config, as_json: Json = False) -> None:
    """Post this provider's counts of uses."""
    _sent(ask_node(config, lambda node: node.post(f"/api/v1/tasks/{segment(task)}/report")), as_json)


@app.command("check", context_settings=ID)
def check(
    task: _Task,
    config: Config,
    provider: Annotated[str, typer.Option(help="DID of the provider that has reported.")],
    as_json: Json = False,
) -> None:
    """Whether a provider's report fits this requester's own receipts."""
    found = ask_node(
        config, lambda node: node.get(f"/api/v1/tasks/{segment(task)}/reports/{segment(provider)}/verdict")
    )
    row = (provider, str(found["consents"]), str(found["uses"]))
    show(found, as_json, ("fits 相符", "consents 授权", "uses 次数"), [row])


@app.command("close", context_settings=ID)
def close(
    task: _Task,
    config: Config,
    now: Annotated[bool, typer.Option("--now", help="Cancel: no more answers, whether or not reports are in.")] = False,
    as_json: Json = False,
) -> None:
    """End one's own contract, once the reports are in."""
    how = "cancellation" if now else "closure"
    _sent(ask_node(config, lambda node: node.post(f"/api/v1/tasks/{segment(task)}/{how}")), as_json)


async def _catalogue(node: NodeClient, purpose: str, function: str) -> dict[str, Any]:
    from lianzheng.flows.offers import require_purpose

    require_purpose(purpose, function)
    found: dict[str, Any] = await node.get("/api/v1/catalogue", purpose=purpose, function=function)
    return found


def _choose(found: dict[str, Any], providers: list[str], views: list[str]) -> dict[str, list[str]]:
    """Views to ask for, by provider. Raises ``RefusedError`` ``provider_offers_nothing``, ``view_not_offered``."""
    from lianzheng.errors import RefusedError

    offered = {one["provider"]: one["views"] for one in found["offers"]}
    if any(did not in offered for did in providers) or not offered:
        raise RefusedError(
            "provider_offers_nothing",
            "A provider named offers nothing for this purpose.",
            next_step="See who does: `lianzheng task offers`.",
        )
    allowed = {did: own for did, own in offered.items() if not providers or did in providers}
    if any(all(one not in own for own in allowed.values()) for one in views):
        raise RefusedError(
            "view_not_offered", "No provider offers a view named.", next_step="See which: `lianzheng task offers`."
        )
    chosen = {did: [one for one in own if not views or one in views] for did, own in allowed.items()}
    return {did: own for did, own in chosen.items() if own}


def _sent(receipt: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(receipt)
    else:
        say(f"height {receipt['height']}")
