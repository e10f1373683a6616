"""``lianzheng did``: DIDs of institutions with keys of several kinds; what the ledger says of any, with its proof."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lianzheng.cli.documents import read_input
from lianzheng.cli.output import say, show, show_json
from lianzheng.cli.session import Json, ask_node, check_new, save_new

if TYPE_CHECKING:
    from lianzheng.client.http import NodeClient
    from lianzheng.encoding.canonical import JsonObject
    from lianzheng.flows.own_did import KeyName

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="DIDs with keys of several kinds: make, change, issue, resolve. 机构标识")
_Store = Annotated[
    Path,
    typer.Option("--store", help="Folder of its sealed keys. Its file `passphrase` opens them: back up both, apart."),
]
_Nodes = Annotated[
    list[str],
    typer.Option(
        "--node", envvar="LIANZHENG_NODES", help="Address of a member's node. Name several members': they must agree."
    ),
]


class Key(StrEnum):
    """Kinds of keys in a DID."""

    ED25519 = "Ed25519"
    P256 = "P-256"
    SM2 = "SM2"


class Suite(StrEnum):
    """Cryptosuites of these keys."""

    EDDSA_JCS = "eddsa-jcs-2022"
    EDDSA_RDFC = "eddsa-rdfc-2022"
    ECDSA_JCS = "ecdsa-jcs-2019"
    ECDSA_RDFC = "ecdsa-rdfc-2019"
    SM2_JCS = "lz-sm2-jcs-2026"


_By = Annotated[
    Key, typer.Option("--sign-with", help="Kind of the key that signs the transaction; P-256 and SM2 from schema 3 on.")
]


@app.command("create")
def create(
    store: _Store,
    nodes: _Nodes,
    key: Annotated[
        list[Key] | None,
        typer.Option(help="A key of this kind; may be repeated. Ed25519 is always there. SM2 from schema 3 on."),
    ] = None,
    controller: Annotated[
        list[str] | None, typer.Option(help="DID that may change this one too; may be repeated.")
    ] = None,
    by: _By = Key.ED25519,
    as_json: Json = False,
) -> None:
    """A DID for an institution without a node, on the ledger, with keys in a folder. Cut off, run it again."""
    from lianzheng.cli import did_acts as acts
    from lianzheng.cli.wallet_session import run

    names: list[KeyName] = [one.value for one in key or ()]
    _changed(run(nodes, lambda found: acts.create(store, found, names, controller or (), by.value)), as_json)


@app.command("key")
def add_key(
    kind: Annotated[Key, typer.Argument(metavar="KIND", help="Ed25519, P-256 or SM2.")],
    store: _Store,
    nodes: _Nodes,
    by: _By = Key.ED25519,
    as_json: Json = False,
) -> None:
    """A new key of this kind in the DID: in place of the present one, or beside the others. Back up the folder."""
    from lianzheng.cli import did_acts as acts
    from lianzheng.cli.wallet_session import run

    _changed(run(nodes, lambda found: acts.change(store, found, kind.value, by.value)), as_json)


@app.command("issue")
def issue(
    request: Annotated[Path, typer.Argument(metavar="FILE", help="The credential to be issued: type, credentialSubject "
                                            "and validUntil at least; '-' for standard input.")],
    store: _Store,
    nodes: _Nodes,
    out: Annotated[Path, typer.Option("--out", help="New file for the credential.")],
    suite: Annotated[
        list[Suite] | None,
        typer.Option(help="A proof of this cryptosuite; may be repeated. eddsa-jcs-2022, if left out."),
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Issue a credential in the DID's name, without entries of status: only members keep lists."""
    from lianzheng.cli import did_acts as acts
    from lianzheng.cli.wallet_session import run
    from lianzheng.encoding.jcs import encode_w3c, parse_w3c
    from lianzheng.limits import CREDENTIAL_BYTES_MAX

    check_new(out)
    credential = parse_w3c(read_input(request), CREDENTIAL_BYTES_MAX)
    suites = [one.value for one in suite or (Suite.EDDSA_JCS,)]
    made = run(nodes, lambda found: acts.issue(store, found, credential, suites))
    save_new(out, encode_w3c(made) + b"\n", private=True, quiet=as_json)
    if as_json:
        show_json({"id": made["id"], "out": str(out)})


@app.command("resolve")
def resolve(
    did: Annotated[str, typer.Argument(metavar="DID", help="A did:lz, did:key or did:web.")],
    config: Annotated[Path | None, typer.Option(help="node.toml of the running node that is asked.")] = None,
    node: Annotated[str | None, typer.Option("--node", help="Address of a member's node, for who runs none.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="New file for the resolution result and its proof.")] = None,
    version: Annotated[int | None, typer.Option("--version-id", min=1, help="An earlier version of a did:lz.")] = None,
    as_json: Json = False,
) -> None:
    """Keys of a DID and what each is for. Of a did:lz the result carries the ledger's proof, for use offline."""
    from lianzheng.encoding.jcs import encode_w3c

    if out is not None:
        check_new(out)
    found = _resolved(did, config, node, {} if version is None else {"versionId": str(version)})
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


def _resolved(did: str, config: Path | None, node: str | None, options: dict[str, str]) -> JsonObject:
    from urllib.parse import quote

    from lianzheng.cli.wallet_session import run
    from lianzheng.errors import ConfigError

    if did.startswith("did:lz:"):
        options["proof"] = "true"
    path = f"/1.0/identifiers/{quote(did, safe=':')}"

    async def ask(client: NodeClient) -> JsonObject:
        found: JsonObject = await client.post(path, options)
        return found

    if (config is None) == (node is None):
        raise ConfigError("resolver_unnamed", "One node resolves.", next_step="Name --config FILE or --node ADDRESS.")
    return ask_node(config, ask) if config is not None else run([node or ""], lambda nodes: ask(nodes[0]))


def _changed(found: JsonObject, as_json: bool) -> None:
    if as_json:
        show_json(found)
    else:
        say(f"version {found['version']} of {found['did']}", *found["keys"])


def _purposes(document: dict[str, list[object]], method: str) -> list[str]:
    from lianzheng.identity.resolution.resolver import RELATIONSHIPS

    return [name for name in RELATIONSHIPS if method in document.get(name, [])]
