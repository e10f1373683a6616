"""``lianzheng wallet credentials``: Verifiable Credentials that the wallet takes, shows and presents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lianzheng.cli.documents import read_input
from lianzheng.cli.output import say, show, show_json, table
from lianzheng.cli.session import Json, check_new, save_new
from lianzheng.cli.wallet_options import Folder, Nodes

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Credentials in the wallet: list, show, receive, present. 凭证")
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the credential, as the list shows it.")]


@app.command("list")
def list_(folder: Folder, as_json: Json = False) -> None:
    """Every credential that the wallet holds, those of enrolment first."""
    from lianzheng.cli import wallet_credentials_acts as acts

    found = acts.listed(folder)
    rows = [(one["name"], one["types"][-1], one["issuer"]) for one in found["credentials"]]
    show(found, as_json, ("name 名称", "kind 种类", "issuer 签发机构"), rows)


@app.command("show")
def show_one(name: _Name, folder: Folder, as_json: Json = False) -> None:
    """One credential in words; with --json as it came."""
    from lianzheng.cli import wallet_credentials_acts as acts

    found, title, rows = acts.shown(folder, name)
    if as_json:
        show_json(found)
        return
    say(title)
    table(("claim 内容", "value 值"), rows)


@app.command("receive")
def receive(
    credential: Annotated[Path, typer.Argument(metavar="FILE", help="The credential as JSON, '-' for standard input.")],
    folder: Folder,
    nodes: Nodes,
    as_json: Json = False,
) -> None:
    """Verify a credential under its issuer's key, for this wallet's DID, and keep it sealed."""
    from lianzheng.cli import wallet_credentials_acts as acts
    from lianzheng.cli.wallet_session import run
    from lianzheng.encoding.jcs import parse_w3c

    document = parse_w3c(read_input(credential))
    found = run(nodes, lambda clients: acts.receive(folder, clients, document))
    show(found, as_json, ("name 名称", "issuer 签发机构"), [(found["name"], found["issuer"])])


@app.command("present")
def present(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Credentials to present, by name.")],
    folder: Folder,
    challenge: Annotated[str, typer.Option(help="The verifier's nonce: the presentation answers it alone.")],
    domain: Annotated[str, typer.Option(help="The verifier's domain: the presentation is for it alone.")],
    out: Annotated[Path, typer.Option("--out", help="New file for the presentation.")],
    shown: Annotated[
        list[str] | None,
        typer.Option("--show", metavar="POINTER", help="A part to disclose, such as /credentialSubject/level."),
    ] = None,
    suite: Annotated[str, typer.Option(help="eddsa-jcs-2022 or eddsa-rdfc-2022.")] = "eddsa-jcs-2022",
    as_json: Json = False,
) -> None:
    """A presentation signed by the wallet's DID. Of a credential for selective disclosure, the parts chosen alone."""
    from lianzheng.cli import wallet_credentials_acts as acts
    from lianzheng.wallet.documents import Presented

    check_new(out)
    found, data = acts.present(folder, Presented(names, challenge, domain, tuple(shown or ()), suite))
    save_new(out, data, private=True, quiet=as_json)
    if as_json:
        show_json(found | {"out": str(out)})
