"""``lianzheng alliance``: members, motions, parameters, points and incidents, and this member's part in them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lianzheng.cli.output import show
from lianzheng.cli.session import ID, Config, Json, ask_node

if TYPE_CHECKING:
    from lianzheng.client.http import NodeClient

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Decide with the other members: admission, parameters, points, incidents.")
Document = Annotated[
    Path, typer.Option("--document", exists=True, dir_okay=False, help="The paper behind it; only its digest is sent.")
]


class Ballot(StrEnum):
    """One group's word."""

    YES = "yes"
    NO = "no"


class AboutMember(StrEnum):
    """Motions about another member."""

    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    EXPEL = "expel"


class Assessed(StrEnum):
    """What a security assessment is of."""

    INSTITUTION = "institution"
    TECHNOLOGY = "technology"


class Scope(StrEnum):
    """What an incident may stop."""

    MEMBER = "member"
    DATASET = "dataset"
    FUNCTION = "function"
    NETWORK = "network"


class Step(StrEnum):
    """Steps of a wind-down, in order."""

    PLAN = "plan"
    START = "start"
    FREEZE = "freeze"
    DISCONNECT = "disconnect"
    CLOSE = "close"


@app.command("rotate-key")
def rotate_key(config: Config, as_json: Json = False) -> None:
    """Give this member's DID a new #node key; the running node takes it over by itself. Back up the key store then."""
    found = ask_node(config, lambda node: node.post("/api/v1/node/key"))
    show(found, as_json, ("version 版本", "DID"), [(str(found["version"]), found["did"])])


@app.command("members")
def members(config: Config, as_json: Json = False) -> None:
    """Members and applicants: phase, control group, voice, points, assessments."""
    found = ask_node(config, lambda node: node.get("/api/v1/explorer/members"))
    rows = [
        (
            one["name"],
            one["phase"],
            one["control_group"] + (" *" if one["speaks"] else ""),
            str(one["points"]),
            " ".join(kind for kind, record in sorted(one["assessments"].items()) if record and record["passed"]) or "–",
            one["did"],
        )
        for one in found["members"]
    ]
    show(found, as_json, ("name 名称", "phase 阶段", "group 控制组", "points 积分", "assessed 已评估", "DID"), rows)


@app.command("parameters")
def parameters(config: Config, as_json: Json = False) -> None:
    """Every number that the alliance may change by vote, with its bounds."""
    found = ask_node(config, lambda node: node.get("/api/v1/explorer/parameters"))
    rows = [
        (one["name"], str(one["value"]), f"{one['least']}–{one['most']}", one["meaning"]) for one in found["parameters"]
    ]
    show(found, as_json, ("name 参数", "value 值", "bounds 范围", "meaning 含义"), rows)


@app.command("motions")
def motions(
    config: Config,
    everything: Annotated[bool, typer.Option("--all", help="Those that are decided or past their time, too.")] = False,
    as_json: Json = False,
) -> None:
    """What is to be decided: kind, subject, ballots so far, and the id to vote with."""
    found = ask_node(config, lambda node: node.get("/api/v1/explorer/motions"))
    if not everything:
        found = {"motions": [one for one in found["motions"] if not one["over"]]}
    rows = [
        (
            one["kind"],
            one["status"],
            f"{len(one['yes'])} : {len(one['no'])}",
            " ".join(f"{name}={value}" for name, value in sorted(one["content"].items()) if name not in _DIGESTS)[:80],
            one["motion"],
        )
        for one in found["motions"]
    ]
    show(found, as_json, ("kind 事项", "status 状态", "yes : no 票", "subject 内容", "motion 编号"), rows)


_DIGESTS = ("reason", "prev", "document", "report", "review", "incident")


@app.command("vote", context_settings=ID)
def vote(
    motion: Annotated[str, typer.Argument(help="Id of the motion, as `alliance motions` shows it.")],
    ballot: Annotated[Ballot, typer.Argument(help="This control group's only word on it.")],
    config: Config,
    as_json: Json = False,
) -> None:
    """Cast this control group's ballot."""

    async def send(node: NodeClient) -> Any:
        found = await node.get("/api/v1/explorer/motions")
        one = next((item for item in found["motions"] if item["motion"] == motion), None)
        kind = "parameter.vote" if one and one["kind"] in ("parameter.propose", "points.rule") else "member.vote"
        height = one["opened_height"] if one else 0
        return await node.post(
            f"/api/v1/governance/{kind}", {"motion": motion, "opened_height": height, "ballot": ballot.value}
        )

    _sent(ask_node(config, send), as_json)


@app.command("propose")
def propose(
    name: Annotated[str, typer.Argument(help="Parameter, as `alliance parameters` shows it.")],
    value: Annotated[int, typer.Argument(help="Its new value.")],
    config: Config,
    as_json: Json = False,
) -> None:
    """Open a motion to change a parameter."""
    kind = "points.rule" if name.startswith("points_") else "parameter.propose"
    _act(config, kind, {"name": name, "value": value}, as_json)


@app.command("upgrade")
def upgrade(
    schema: Annotated[int, typer.Argument(min=2, help="The ledger's next schema: the one in force and one more.")],
    height: Annotated[int, typer.Argument(min=1, help="The first block under it; leave time to vote.")],
    config: Config,
    as_json: Json = False,
) -> None:
    """Open a motion to go over to the ledger's next schema (LED-7). Every member's software must know it before."""
    _act(config, "schema.upgrade", {"schema": schema, "height": height}, as_json)


@app.command("apply")
def apply(
    application: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What the applicant signed.")],
    config: Config,
    as_json: Json = False,
) -> None:
    """Bring in an application that `lianzheng init application` made."""
    from lianzheng.governance.admission.model import MemberApply
    from lianzheng.limits import TRANSACTION_BYTES_MAX

    payload = MemberApply.from_bytes(application.read_bytes(), TRANSACTION_BYTES_MAX).to_json()
    _act(config, "member.apply", payload, as_json)


@app.command("assess")
def assess(
    member: Annotated[str, typer.Argument(help="DID of the member or applicant.")],
    kind: Annotated[Assessed, typer.Argument(help="What was assessed.")],
    config: Config,
    document: Document,
    day: Annotated[str, typer.Option(help="Day of the assessment, YYYY-MM-DD.")],
    failed: Annotated[bool, typer.Option("--failed", help="It was not passed.")] = False,
    as_json: Json = False,
) -> None:
    """Put the result of a security assessment on record; with both passed, the vote on an applicant begins."""
    payload = {"member": member, "kind": kind.value, "report": _digest(document), "assessed_on": day}
    _act(config, "member.assess", payload | {"passed": not failed}, as_json)


@app.command("member")
def about_member(
    what: Annotated[AboutMember, typer.Argument(help="What is to happen.")],
    member: Annotated[str, typer.Argument(help="DID of the other member.")],
    config: Config,
    document: Document,
    as_json: Json = False,
) -> None:
    """Open a motion about another member."""
    _act(config, f"member.{what.value}", {"member": member, "reason": _digest(document)}, as_json)


@app.command("leave")
def leave(
    config: Config,
    document: Document,
    finish: Annotated[bool, typer.Option("--finish", help="The time of notice is over.")] = False,
    as_json: Json = False,
) -> None:
    """Give notice, or finish leaving."""
    _act(config, "member.leave", {"step": "finish" if finish else "notice", "plan": _digest(document)}, as_json)


@app.command("sign")
def sign(config: Config, as_json: Json = False) -> None:
    """Sign the alliance agreement; an admitted member is active from then on."""
    _sent(ask_node(config, lambda node: node.post("/api/v1/agreement/signature")), as_json)


@app.command("update")
def update(
    config: Config,
    endpoint: Annotated[str | None, typer.Option(help="New https address of this member's node.")] = None,
    certificate: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="PEM of the new peer certificate.")
    ] = None,
    licence: Annotated[list[str] | None, typer.Option(help="All licences anew; may be repeated.")] = None,
    pilot_licence: Annotated[list[str] | None, typer.Option(help="All pilot licences anew; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Change this member's own record; what is not named stays. The others use it from the next block on."""
    body: dict[str, Any] = {} if endpoint is None else {"endpoint": endpoint}
    body |= {} if licence is None else {"licences": licence}
    body |= {} if pilot_licence is None else {"pilot_licences": pilot_licence}
    body |= {} if certificate is None else {"certificate": _der(certificate)}
    if not body:
        raise typer.BadParameter("name what is to change", param_hint="--endpoint")
    _sent(ask_node(config, lambda node: node.post("/api/v1/member", body)), as_json)


@app.command("settle")
def settle(
    month: Annotated[str, typer.Argument(help="A month that is over, YYYY-MM.")], config: Config, as_json: Json = False
) -> None:
    """Have the ledger settle everybody's points."""
    _act(config, "points.settle", {"month": month}, as_json)


@app.command("settlement")
def settlement(month: Annotated[str, typer.Argument(help="YYYY-MM")], config: Config, as_json: Json = False) -> None:
    """Every line of a settlement: before + base + breadth + quality - penalty + received - paid = balance."""
    found = ask_node(config, lambda node: node.get(f"/api/v1/explorer/settlements/{month}"))
    names = ("before", "base", "breadth", "quality", "penalty", "received", "paid", "balance")
    rows = [(line["member"], *(str(line[name]) for name in names)) for line in found["lines"]]
    show(found, as_json, ("member 成员", *names), rows)


@app.command("appeal")
def appeal(
    month: Annotated[str, typer.Argument(help="Month of the settlement, YYYY-MM.")],
    change: Annotated[int, typer.Option(help="Points that are asked to be added.")],
    config: Config,
    document: Document,
    as_json: Json = False,
) -> None:
    """Ask the other groups to correct this member's points."""
    _act(config, "points.appeal", {"month": month, "change": change, "reason": _digest(document)}, as_json)


@app.command("incident")
def incident(
    category: Annotated[str, typer.Argument(help="One word, such as outage or leak.")],
    config: Config,
    document: Document,
    grade: Annotated[int, typer.Option(min=1, max=4, help="1 is the gravest.")] = 3,
    as_json: Json = False,
) -> None:
    """Open an incident; its id is what `alliance contain` and `alliance close` take."""
    _act(config, "incident.open", {"grade": grade, "category": category, "report": _digest(document)}, as_json)


@app.command("incidents")
def incidents(config: Config, as_json: Json = False) -> None:
    """Incidents and what they stop."""
    found = ask_node(config, lambda node: node.get("/api/v1/explorer/incidents"))
    rows = [
        (one["category"], str(one["grade"]), one["status"], " ".join(one["contains"]) or "–", one["incident"])
        for one in found["incidents"]
    ]
    show(found, as_json, ("category 类别", "grade 级别", "status 状态", "stops 已停用", "incident 编号"), rows)


@app.command("contain", context_settings=ID)
def contain(
    number: Annotated[str, typer.Argument(metavar="INCIDENT", help="Id of the incident.")],
    scope: Annotated[Scope, typer.Argument(help="What kind of thing is to stop.")],
    target: Annotated[str, typer.Argument(help="DID, dataset, function, or the name of the network.")],
    config: Config,
    as_json: Json = False,
) -> None:
    """Stop something: one's own at once, anything else when more than a third of the groups agree."""
    _act(config, "incident.contain", {"incident": number, "scope": scope.value, "target": target}, as_json)


@app.command("close", context_settings=ID)
def close(
    number: Annotated[str, typer.Argument(metavar="INCIDENT", help="Id of the incident.")],
    config: Config,
    document: Document,
    fined: Annotated[str | None, typer.Option(help="DID of a member that loses points for it.")] = None,
    fine: Annotated[int, typer.Option(min=0, help="The points that it loses.")] = 0,
    as_json: Json = False,
) -> None:
    """Open a motion that an incident is over and all that it stopped goes on."""
    payload = {"incident": number, "review": _digest(document), "fined": fined, "fine": fine}
    _act(config, "incident.close", payload, as_json)


@app.command("winddown")
def winddown(
    step: Annotated[Step, typer.Argument(help="The next step.")],
    config: Config,
    document: Document,
    not_before_ms: Annotated[int, typer.Option(min=0, help="Block time before which it has no effect, ms UTC.")] = 0,
    as_json: Json = False,
) -> None:
    """Open a motion to take the next step of an orderly end."""
    payload = {"document": _digest(document), "not_before_ms": not_before_ms}
    _act(config, f"network.winddown.{step.value}", payload, as_json)


def _der(certificate: Path) -> str:
    import ssl

    from lianzheng.encoding.binary import b64u_encode
    from lianzheng.errors import FormatError

    try:
        return b64u_encode(ssl.PEM_cert_to_DER_cert(certificate.read_text("ascii")))
    except ValueError as error:
        raise FormatError("certificate_malformed", "The file does not hold one PEM certificate.") from error


def _digest(document: Path) -> str:
    from lianzheng.crypto.digest import sha256_raw
    from lianzheng.encoding.binary import b64u_encode

    return b64u_encode(sha256_raw(document.read_bytes()))


def _act(config: Path, kind: str, payload: dict[str, Any], as_json: bool) -> None:
    _sent(ask_node(config, lambda node: node.post(f"/api/v1/governance/{kind}", payload)), as_json)


def _sent(receipt: dict[str, Any], as_json: bool) -> None:
    data = receipt["result"]["data"] or {}
    if as_json:
        show(receipt, True, (), ())
        return
    words = " ".join(f"{name} {data[name]}" for name in ("member", "motion", "status", "incident") if name in data)
    typer.echo(f"height {receipt['height']}{', ' if words else ''}{words}")
