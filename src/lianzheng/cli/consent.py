"""``lianzheng consent``: the clerk's side. Signing is the investor's, in the wallet: ``lianzheng wallet consent``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lianzheng.cli.documents import read_input
from lianzheng.cli.output import say, show, show_json, table
from lianzheng.cli.session import ID, Config, Json, ask_node, save_new, segment

if TYPE_CHECKING:
    from lianzheng.client.http import NodeClient

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Offer a consent, take in what a wallet signed, show, withdraw. 授权同意")
_Id = Annotated[str, typer.Argument(metavar="CONSENT", help="Id of the consent.")]
_TITLES = ("provider 提供机构", "state 状态", "code 原因", "on the ledger 链上", "uses 次数", "views 视图")
_LOOK_S = 1 / 5
_LOOKS = 300


@app.command("offer")
def offer(
    client: Annotated[str, typer.Argument(help="Client reference, as `enrol find` prints it.")],
    config: Config,
    out: Annotated[Path, typer.Option("--out", help="New file for the offer; the wallet takes it.")],
    contact: Annotated[str, typer.Option(help="Where the client reaches you, such as a telephone number.")],
    complaints: Annotated[str, typer.Option(help="Where the client complains.")],
    purpose: Annotated[str, typer.Option(help="Registered purpose.")] = "suitability-assessment",
    provider: Annotated[
        list[str] | None, typer.Option(help="DID of a member to be asked; may be repeated. All who offer, if left out.")
    ] = None,
    queries: Annotated[int, typer.Option(min=1, help="How often each may be asked.")] = 4,
    look_back: Annotated[int, typer.Option(min=1, help="Months looked back.")] = 24,
    retention: Annotated[int, typer.Option(min=1, help="Days that results are kept.")] = 365,
    template: Annotated[str, typer.Option(help="Text to be shown: sharing-zh-1 or sharing-en-1.")] = "sharing-zh-1",
    as_json: Json = False,
) -> None:
    """Make an offer for one client: who asks whom for what, how often, how long. Nothing is kept until it is signed."""
    from lianzheng.consent.named import ConsentOffer
    from lianzheng.flows.offers import require_purpose

    require_purpose(purpose, "hidden-query")
    body = {
        "client": client,
        "purpose": purpose,
        "providers": sorted(provider or ()),
        "queries": queries,
        "look_back_months": look_back,
        "retention_days": retention,
        "contact": contact,
        "complaints": complaints,
        "template": template,
    }
    made = ConsentOffer.from_json(ask_node(config, lambda node: node.post("/api/v1/consents/offers", body)))
    save_new(out, made.to_bytes(), private=True, quiet=as_json)
    providers = [{"provider": one.did, "name": one.name, "views": list(one.views)} for one in made.providers]
    if as_json:
        show_json({"consent_id": made.consent_id, "purpose": purpose, "providers": providers, "out": str(out)})
        return
    say(f"offer {made.consent_id}, to be signed with `lianzheng wallet consent {out}`")
    table(("provider 提供机构", "views 视图"), [(one.name, " ".join(one.views)) for one in made.providers])


@app.command("grant")
def grant(
    submission: Annotated[Path, typer.Argument(metavar="SIGNED", help="What the wallet signed, from --out there.")],
    config: Config,
    wait: Annotated[bool, typer.Option("--wait", help="Until every grant stands on the ledger or is refused.")] = False,
    as_json: Json = False,
) -> None:
    """Take in a signed consent: it is checked, kept and on record; its grants go on the ledger in batches (AUTH-4)."""
    raw = read_input(submission)

    async def send(node: NodeClient) -> dict[str, Any]:
        taken: dict[str, Any] = await node.post_bytes("/api/v1/wallet/consents", raw, "application/json")
        found = await _show_when(node, taken["consent_id"], settled=wait)
        return {**found, "acknowledgement": taken["acknowledgement"]}

    _print(ask_node(config, send), as_json)


@app.command("list")
def list_consents(
    client: Annotated[str, typer.Argument(help="Client reference, as `enrol find` prints it.")],
    config: Config,
    as_json: Json = False,
) -> None:
    """A client's consents."""
    found = ask_node(config, lambda node: node.get(f"/api/v1/clients/{segment(client)}/consents"))
    rows = [
        (one["consent_id"], one["status"], " ".join(sorted({token["state"] for token in one["tokens"]})))
        for one in found["consents"]
    ]
    show(found, as_json, ("consent 授权", "status 状态", "tokens 令牌"), rows)


@app.command("show", context_settings=ID)
def show_consent(
    consent: _Id,
    config: Config,
    wait: Annotated[bool, typer.Option("--wait", help="Until every grant stands on the ledger or is refused.")] = False,
    as_json: Json = False,
) -> None:
    """One consent: for each provider the views, the uses, and what the ledger says now."""
    _print(ask_node(config, lambda node: _show_when(node, consent, settled=wait)), as_json)


@app.command("withdraw", context_settings=ID)
def withdraw(consent: _Id, config: Config, as_json: Json = False) -> None:
    """Withdraw at the counter, on the client's word: no new use from now on. The wallet can do it alone."""
    found = ask_node(config, lambda node: node.post(f"/api/v1/consents/{segment(consent)}/withdrawal"))
    if as_json:
        show_json({"consent_id": consent, **found})
    else:
        say(f"withdrawn; {found['revoked']} tokens revoked on the ledger")


async def _show_when(node: NodeClient, consent: str, *, settled: bool) -> dict[str, Any]:
    """The consent; with ``settled`` once no grant waits. Raises ``UnavailableError`` ``grants_waiting``."""
    from lianzheng.errors import UnavailableError

    for _ in range(_LOOKS if settled else 1):
        found: dict[str, Any] = await node.get(f"/api/v1/consents/{segment(consent)}")
        if not settled or all(token["state"] != "queued" for token in found["tokens"]):
            return found
        await asyncio.sleep(_LOOK_S)
    raise UnavailableError(
        "grants_waiting",
        "The consent is kept, but its grants are not on the ledger after a minute.",
        next_step="Is the ledger moving? `lianzheng consent show --wait` waits again.",
    )


def _print(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    days = f"{found['not_before']} to {found['not_after']}"
    say(f"consent {found['consent_id']}: {found['status']}, {found['purpose']}, {days}, evidence {found['case']}")
    rows = [
        (
            one["provider"],
            one["state"],
            one["code"] or "–",
            one["ledger"] or "–",
            str(one["max_uses"]),
            " ".join(one["views"]),
        )
        for one in found["tokens"]
    ]
    table(_TITLES, rows)
