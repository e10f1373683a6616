"""``lianzheng did``: what the ledger says of a DID, with its proof."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lianzheng.cli.output import show
from lianzheng.cli.session import Config, Json, ask_node, check_new, save_new

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="DIDs on the ledger: resolve one with the ledger's proof. 去中心化标识")


@app.command("resolve")
def resolve(
    did: Annotated[str, typer.Argument(metavar="DID", help="A did:lz, did:key or did:web.")],
    config: Config,
    out: Annotated[Path | None, typer.Option("--out", help="New file for the resolution result and its proof.")] = None,
    version: Annotated[int | None, typer.Option("--version-id", min=1, help="An earlier version of a did:lz.")] = None,
    as_json: Json = False,
) -> None:
    """Keys of a DID and what each is for. Of a did:lz the result carries the ledger's proof, for use offline."""
    from urllib.parse import quote

    from lianzheng.encoding.jcs import encode_w3c

    if out is not None:
        check_new(out)
    options = {"versionId": str(version)} if version is not None else {}
    if did.startswith("did:lz:"):
        options["proof"] = "true"
    found = ask_node(config, lambda node: node.post(f"/1.0/identifiers/{quote(did, safe=':')}", options))
    if out is not None:
        save_new(out, encode_w3c(found) + b"\n", quiet=as_json)
    document = found["didDocument"]
    rows = [
        (one["id"].rpartition("#")[2], one.get("publicKeyMultibase", ""), ", ".join(_purposes(document, one["id"])))
        for one in document.get("verificationMethod", [])
    ]
    told = {
        "document": document,
        "metadata": found["didDocumentMetadata"],
        "resolution": found["didResolutionMetadata"],
    }
    show({"did": did, **told}, as_json, ("key 密钥", "multikey", "purposes 用途"), rows)


def _purposes(document: dict[str, list[object]], method: str) -> list[str]:
    from lianzheng.identity.resolution.resolver import RELATIONSHIPS

    return [name for name in RELATIONSHIPS if method in document.get(name, [])]
