"""What ``lianzheng wallet credentials`` does; imported when it runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lianzheng.cli.wallet_session import opened
from lianzheng.client.http import NodeClient
from lianzheng.client.ledger import AgreedLedger
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.identity.credentials.enveloped import is_enveloped
from lianzheng.identity.credentials.rendering import render_credential
from lianzheng.identity.credentials.verifiable import rfc3339
from lianzheng.wallet.documents import Presented, signer_keys
from lianzheng.wallet.model import HeldDocument

__all__ = ["listed", "present", "receive", "shown"]


def listed(folder: Path) -> JsonObject:
    """What the wallet holds, without the documents."""
    with opened(folder) as wallet:
        return {"credentials": [_line(one) for one in wallet.documents]}


def shown(folder: Path, name: str) -> tuple[JsonObject, str, list[tuple[str, str]]]:
    """One credential: for machines, and as title and rows for people. Raises ``document_unknown``.

    What our JSON cannot carry (fractions) is shown to people alone: ``FormatError`` ``json_type`` otherwise.
    """
    with opened(folder) as wallet:
        document = wallet.document(name)
        (held,) = [one for one in wallet.documents if one.name == name]
    if is_enveloped(document):
        return _line(held) | {"document": document}, held.types[-1], [("issuer", held.issuer)]
    rendering = render_credential(document, "en")
    return _line(held) | {"document": document}, rendering.title, [(row.title, row.value) for row in rendering.rows]


async def receive(folder: Path, nodes: Sequence[NodeClient], document: JsonObject) -> JsonObject:
    """Verified under the keys that all nodes give alike, and kept. Raises as ``receive_document``."""
    ledger = await AgreedLedger.read_patiently(nodes, signer_keys(document))
    with opened(folder) as wallet:
        return _line(wallet.receive(document, ledger))


def present(folder: Path, wanted: Presented) -> tuple[JsonObject, bytes]:
    """What was presented, and the presentation by RFC 8785. Raises as ``documents.present``."""
    with opened(folder) as wallet:
        made = wallet.present(wanted)
    return {"holder": made["holder"], "credentials": list(dict.fromkeys(wanted.names))}, encode_w3c(made)


def _line(held: HeldDocument) -> JsonObject:
    """``received`` is null for what came with an enrolment."""
    return {
        "name": held.name,
        "issuer": held.issuer,
        "types": list(held.types),
        "received": rfc3339(held.received_ms) if held.received_ms else None,
    }
