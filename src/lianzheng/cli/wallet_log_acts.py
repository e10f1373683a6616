"""``lianzheng wallet log``: members are asked for the uses of each consent, and what they sign is checked and kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lianzheng.cli.wallet_session import JSON, opened
from lianzheng.client.http import NodeClient
from lianzheng.client.ledger import AgreedLedger
from lianzheng.compute.gate.access import AccessAnswer, AccessChallenge
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import LianzhengError, NotFoundError
from lianzheng.wallet.accesses import ledger_keys, requester_of
from lianzheng.wallet.model import HeldConsent, HeldToken
from lianzheng.wallet.wallet import Wallet

__all__ = ["ask", "kept"]


def kept(folder: Path) -> JsonObject:
    """The log as the wallet has it; nobody is asked."""
    with opened(folder) as wallet:
        return {"access": [one.to_json() for one in wallet.access_log], "not_asked": []}


async def ask(folder: Path, nodes: Sequence[NodeClient]) -> JsonObject:
    """The log after the requester and the provider of every token have been asked, as far as their nodes are named.

    One that is away, is not named or answers wrongly hinders no other: ``not_asked`` names it with its reason code.
    """
    missed: dict[tuple[str, str], None] = {}
    with opened(folder) as wallet:
        at = {(await node.get("/api/v1/network"))["did"]: node for node in nodes}
        for consent in wallet.consents:
            for token in consent.tokens:
                for member in (requester_of(consent), token.provider):
                    try:
                        await _ask_one(wallet, at, nodes, consent, token, member)
                    except LianzhengError as error:
                        missed[member, error.code] = None
        entries = [one.to_json() for one in wallet.access_log]
    return {"access": entries, "not_asked": [{"member": member, "code": code} for member, code in missed]}


async def _ask_one(
    wallet: Wallet,
    at: dict[str, NodeClient],
    nodes: Sequence[NodeClient],
    consent: HeldConsent,
    token: HeldToken,
    member: str,
) -> None:
    """Every use that this member knows of this token."""
    node = at.get(member)
    if node is None:
        raise NotFoundError("node_not_named", "No address of this member's node was given.")
    skip, more = 0, True
    while more:
        challenge = AccessChallenge.from_json(await node.post("/api/v1/wallet/access-challenges"))
        query = wallet.ask_uses(token, challenge, member, skip)
        answer = AccessAnswer.from_json(await node.post_bytes("/api/v1/wallet/accesses", query.to_bytes(), JSON))
        ledger = await AgreedLedger.read_patiently(nodes, ledger_keys(answer))
        found = wallet.note_uses(answer, query, consent, token, ledger)
        skip, more = skip + found, answer.more and found > 0
