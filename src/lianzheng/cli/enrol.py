"""``lianzheng enrol``: the member's counter. It looks at a document and signs for a wallet that it knows the person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lianzheng.cli.documents import Document, read_document, read_input
from lianzheng.cli.output import say, show, show_json
from lianzheng.cli.session import Config, Json, ask_node, check_new, save_new

if TYPE_CHECKING:
    from lianzheng.client.http import NodeClient
    from lianzheng.identity.enrolment import IdentityDocument

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, help="At the counter: open an enrolment, see the document, issue. 开立数字身份凭证"
)
_Request = Annotated[Path, typer.Argument(metavar="REQUEST", help="What the wallet answered, as `wallet request`.")]
_Out = Annotated[Path, typer.Option("--out", help="New file to write, readable by you alone.")]


@app.command("key")
def key(config: Config, as_json: Json = False) -> None:
    """Publish this member's credential key of the present period of 90 days; again, it changes nothing."""
    found = ask_node(config, lambda node: node.post("/api/v1/issuer/keys"))
    show(found, as_json, ("issuer 签发机构", "period 期"), [(found["issuer"], str(found["period"]))])


@app.command("find")
def find(config: Config, document: Document = None, as_json: Json = False) -> None:
    """The client reference of the person with a document: the keyed name that every other command takes."""
    shown = read_document(document)
    found = ask_node(config, lambda node: node.post("/api/v1/clients/lookup", shown.to_json()))
    show(found, as_json, ("client 客户编号",), [(found["client"],)])


@app.command("open")
def open_session(
    did: Annotated[str, typer.Argument(help="DID of the wallet, as `wallet show` prints it.")],
    config: Config,
    out: _Out,
    as_json: Json = False,
) -> None:
    """Open an enrolment: a challenge for one wallet, good for ten minutes. The wallet answers it."""
    from lianzheng.identity.enrolment import EnrolmentChallenge

    found = ask_node(config, lambda node: node.post("/api/v1/wallet/enrolment-challenges", {"did": did}))
    challenge = EnrolmentChallenge.from_json(found)
    save_new(out, challenge.to_bytes(), private=True, quiet=as_json)
    if as_json:
        show_json({"did": did, "issuer": challenge.issuer, "expires_at": challenge.expires_at, "out": str(out)})


@app.command("look")
def look(request: _Request, config: Config, as_json: Json = False) -> None:
    """Whom a wallet's answer is about, before it is issued: document type, and whose client that is here.

    The number itself is not shown: compare the client, as your own system knows it, with the document at hand.
    """
    from lianzheng.identity.enrolment import EnrolmentRequest

    asked = EnrolmentRequest.from_bytes(read_input(request))
    client = ask_node(config, lambda node: _client_of(node, asked.document))
    document = asked.document
    found = {"did": asked.did, "document_type": document.type, "country": document.country, "client": client}
    row = (asked.did, document.type, document.country, client or "no customer 非本机构客户")
    show(found, as_json, ("wallet 钱包", "document 证件", "country 国家", "client 客户编号"), [row])


@app.command("issue")
def issue(request: _Request, config: Config, out: _Out, as_json: Json = False) -> None:
    """Check the answer and sign: the wallet's credential, which it verifies with `wallet receive`."""
    from lianzheng.identity.enrolment import EnrolmentResponse

    check_new(out)
    raw = read_input(request)
    found = ask_node(config, lambda node: node.post_bytes("/api/v1/wallet/enrolments", raw, "application/json"))
    response = EnrolmentResponse.from_json(found)
    save_new(out, response.to_bytes(), private=True, quiet=as_json)
    summary = {"did": response.did, "issuer": response.issuer, "period": response.period, "out": str(out)}
    if as_json:
        show_json(summary)
    else:
        say(f"signed for {response.did}, period {response.period}")


async def _client_of(node: NodeClient, document: IdentityDocument) -> str | None:
    from lianzheng.errors import NotFoundError

    try:
        found: dict[str, Any] = await node.post("/api/v1/clients/lookup", document.to_json())
    except NotFoundError as error:
        if error.code != "customer_unknown":
            raise
        return None
    return str(found["client"])
