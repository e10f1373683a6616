"""``lianzheng wallet``: the investor's side, on the investor's machine, without a node of its own (AUTH-7)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lianzheng.cli import wallet_credentials, wallet_safety
from lianzheng.cli.documents import Document, read_document, read_object
from lianzheng.cli.output import say, show, show_json, table
from lianzheng.cli.session import ID, Json, check_new, save_new
from lianzheng.cli.wallet_options import Folder, MaybeNodes, Nodes

if TYPE_CHECKING:
    from lianzheng.cli.wallet_acts import Signing
    from lianzheng.consent.named import ConsentOffer

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="The investor's wallet: enrol, consent, withdraw, pause, present, back up, recover. 投资者钱包",
)
wallet_safety.add_commands(app)
app.add_typer(wallet_credentials.app, name="credentials")
_Consent = Annotated[str, typer.Argument(metavar="CONSENT", help="Id of the consent.")]
_Out = Annotated[Path, typer.Option("--out", help="New file to write, readable by you alone.")]


@app.command("create")
def create(folder: Folder, nodes: Nodes, as_json: Json = False) -> None:
    """A new wallet, sealed, with a DID on the ledger. No part of the DID derives from the person."""
    from lianzheng.cli import wallet_acts as acts

    found = acts.run(nodes, lambda clients: acts.create(folder, clients))
    show(found, as_json, ("DID", "network 网络"), [(found["did"], found["chain_id"])])


@app.command("show")
def show_wallet(folder: Folder, as_json: Json = False) -> None:
    """DID, credentials and consents of the wallet; needs no node."""
    from lianzheng.cli import wallet_acts as acts

    found = acts.show(folder)
    if as_json:
        show_json(found)
        return
    say(f"{found['did']} on {found['chain_id']}")
    table(("issuer 签发机构", "period 期"), [(one["issuer"], str(one["period"])) for one in found["credentials"]])
    rows = [(one["consent_id"], one["status"], str(len(one["tokens"]))) for one in found["consents"]]
    table(("consent 授权", "status 状态", "providers 提供机构"), rows)


@app.command("log")
def log(folder: Folder, nodes: MaybeNodes = None, as_json: Json = False) -> None:
    """Who asked what, when, why, and which bands came back. Members whose nodes are named are asked anew.

    Each use is proven by the requester's signature. One that a provider tells of and the requester does not is marked.
    """
    from lianzheng.cli import wallet_log_acts as acts
    from lianzheng.cli.wallet_session import run

    found = run(nodes, lambda clients: acts.ask(folder, clients)) if nodes else acts.kept(folder)
    if as_json:
        show_json(found)
        return
    table(
        (
            "time 时间",
            "requester 请求机构",
            "provider 提供机构",
            "purpose 目的",
            "views 视图",
            "bands 档位",
            "told by 告知方",
        ),
        [_use(one) for one in found["access"]],
    )
    say(*(f"not asked: {one['member']} ({one['code']})" for one in found["not_asked"]), err=True)


def _use(one: dict[str, Any]) -> tuple[str, ...]:
    from lianzheng.identity.credentials.verifiable import rfc3339

    bands = "-" if one["bands"] is None else " ".join(f"{code}={band}" for code, band in sorted(one["bands"].items()))
    sides = [name for name in ("requester", "provider") if one[name] in one["told_by"]]
    told = " and ".join(sides) if "requester" in sides else "provider alone!"
    return (
        rfc3339(one["time_ms"]), one["requester"], one["provider"], one["purpose"], " ".join(one["views"]), bands, told,
    )  # fmt: skip


@app.command("enrol")
def enrol(
    folder: Folder,
    nodes: Nodes,
    issuer: Annotated[str, typer.Option(help="Address of the node of a member that knows you.")],
    document: Document = None,
    as_json: Json = False,
) -> None:
    """Show the document to a member that knows you, prove v, and keep the credential that it signs (ID-7)."""
    from lianzheng.cli import wallet_acts as acts

    shown = read_document(document)
    found = acts.run([*nodes, issuer], lambda clients: acts.enrol(folder, clients[:-1], clients[-1], shown))
    show(found, as_json, ("issuer 签发机构", "period 期"), [(found["issuer"], str(found["period"]))])


@app.command("request")
def request(
    challenge: Annotated[Path, typer.Argument(help="What `enrol open` wrote at the counter.")],
    folder: Folder,
    out: _Out,
    document: Document = None,
    as_json: Json = False,
) -> None:
    """Answer a counter's challenge by file. The answer names your document: hand it to the counter and delete it."""
    from lianzheng.cli import wallet_acts as acts
    from lianzheng.identity.enrolment import EnrolmentChallenge

    asked = EnrolmentChallenge.from_json(read_object(challenge))
    made = acts.answer(folder, asked, read_document(document))
    save_new(out, made.to_bytes(), private=True, quiet=as_json)
    if as_json:
        show_json({"did": made.did, "issuer": made.issuer, "out": str(out)})


@app.command("receive")
def receive(
    response: Annotated[Path, typer.Argument(help="What `enrol issue` wrote at the counter.")],
    folder: Folder,
    nodes: Nodes,
    document: Document = None,
    as_json: Json = False,
) -> None:
    """Verify what a counter has issued under the ledger's key, for the same document, and keep it."""
    from lianzheng.cli import wallet_acts as acts
    from lianzheng.identity.enrolment import EnrolmentResponse

    issued, shown = EnrolmentResponse.from_json(read_object(response)), read_document(document)
    found = acts.run(nodes, lambda clients: acts.receive(folder, clients, issued, shown))
    show(found, as_json, ("issuer 签发机构", "period 期"), [(found["issuer"], str(found["period"]))])


@app.command("preview")
def preview(
    offer: Annotated[Path, typer.Argument(help="What `consent offer` wrote at the counter.")],
    nodes: Nodes,
    as_json: Json = False,
) -> None:
    """The whole text of an offer and the items to be ticked; whom it names is checked against the ledger."""
    from lianzheng.cli import wallet_acts as acts
    from lianzheng.consent.named import ConsentOffer
    from lianzheng.consent.text import template_of

    asked = ConsentOffer.from_json(read_object(offer))
    text = acts.run(nodes, lambda clients: acts.preview(clients, asked))
    if as_json:
        items = list(template_of(asked.template).items)
        show_json({"consent_id": asked.consent_id, "text": text, "items": items})
    else:
        say(text)


@app.command("consent")
def consent(
    offer: Annotated[Path, typer.Argument(help="What `consent offer` wrote at the counter.")],
    folder: Folder,
    nodes: Nodes,
    out: _Out,
    to: Annotated[str | None, typer.Option(help="Address of the asking member's node, to deliver it at once.")] = None,
    tick: Annotated[
        list[str] | None,
        typer.Option(help="An item that you agree to, named by itself; all are needed, none is preset. Asked if none."),
    ] = None,
    read: Annotated[bool, typer.Option("--read-to-end", help="You have read the whole text that is shown.")] = False,
    staff: Annotated[str | None, typer.Option(help="Id of the clerk, where one assists.")] = None,
    as_json: Json = False,
) -> None:
    """Show the whole text, take the ticks, sign: a named consent, and one anonymous token for each provider.

    The file written holds the tokens and is as good as your identity number for those who answer: it is for the
    asking member alone; delete it when it is delivered.
    """
    from lianzheng.cli import wallet_acts as acts
    from lianzheng.consent.named import ConsentOffer

    check_new(out)
    asked = ConsentOffer.from_json(read_object(offer))
    how = _read_and_tick(nodes, asked, tick or [], read, staff, quiet=as_json)
    signed = acts.run(nodes, lambda clients: acts.sign(folder, clients, asked, how))
    data = signed.submission.to_bytes()
    save_new(out, data, private=True, quiet=as_json)
    kept = None
    if to is not None:
        kept = acts.run([*nodes, to], lambda clients: acts.deliver(clients[:-1], clients[-1], asked, data))
    warnings = [{"code": one.code, "what": one.what, "number": one.number} for one in signed.warnings]
    if as_json:
        show_json({"consent_id": asked.consent_id, "out": str(out), "warnings": warnings, "acknowledgement": kept})
        return
    say(*(f"warning {one['code']}: {one['what']}" for one in warnings), f"consent {asked.consent_id} signed")
    if kept is not None:
        say("delivered; the member's promise that it is on record holds")


@app.command("withdraw", context_settings=ID)
def withdraw(consent: _Consent, folder: Folder, nodes: Nodes, as_json: Json = False) -> None:
    """Withdraw a consent at any member's node: no new use from now on. Again, it does the same."""
    from lianzheng.cli import wallet_acts as acts

    _switched(acts.run(nodes, lambda clients: acts.withdraw(folder, clients, consent)), as_json)


@app.command("pause", context_settings=ID)
def pause(consent: _Consent, folder: Folder, nodes: Nodes, as_json: Json = False) -> None:
    """Pause a consent until it is resumed; at most four times a day."""
    from lianzheng.cli import wallet_acts as acts

    _switched(acts.run(nodes, lambda clients: acts.switch(folder, clients, consent, resume=False)), as_json)


@app.command("resume", context_settings=ID)
def resume(consent: _Consent, folder: Folder, nodes: Nodes, as_json: Json = False) -> None:
    """End a pause: every provider may answer again."""
    from lianzheng.cli import wallet_acts as acts

    _switched(acts.run(nodes, lambda clients: acts.switch(folder, clients, consent, resume=True)), as_json)


def _switched(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    heights = ", ".join("waiting" if height is None else str(height) for height in found["heights"])
    say(f"{found['status']}; ledger height {heights}")


def _read_and_tick(
    nodes: list[str], offer: ConsentOffer, ticked: list[str], read: bool, staff: str | None, *, quiet: bool
) -> Signing:
    """The text is on the screen before anything is agreed to; a program has shown it with ``wallet preview``."""
    from lianzheng.cli import wallet_acts as acts
    from lianzheng.clock import SystemClock
    from lianzheng.consent.text import template_of

    text = acts.run(nodes, lambda clients: acts.preview(clients, offer))
    shown_ms = SystemClock().now_ms()
    if not quiet:
        say(text, err=True)
    if not ticked and not quiet and sys.stdin.isatty():
        read = typer.confirm("read to the end 已阅读全文?", err=True)
        ticked = [item for item in template_of(offer.template).items if typer.confirm(f"agree 同意 {item}?", err=True)]
    return acts.Signing(tuple(ticked), read, staff, shown_ms)
