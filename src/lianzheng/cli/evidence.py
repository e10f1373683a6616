"""``lianzheng evidence``: acts on record, their documents, bundles and trust files, through a running node."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lianzheng.cli.documents import read_input
from lianzheng.cli.exits import OK, REFUSED, UNANCHORED, UNAVAILABLE
from lianzheng.cli.output import say, show, show_json, table
from lianzheng.cli.session import ID, Config, Json, ask_node, save_new, segment

if TYPE_CHECKING:
    from lianzheng.client.http import NodeClient

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Record acts, list cases, take out bundles and check them all. 存证")
Out = Annotated[Path, typer.Option("--out", help="New file to write; nothing is overwritten.")]
_Case = Annotated[str, typer.Argument(metavar="CASE", help="Id of the case.")]
_TYPES = {".json": "application/json", ".pdf": "application/pdf", ".txt": "text/plain; charset=utf-8"}


@app.command("record")
def record(
    case_id: _Case,
    config: Config,
    document: Annotated[
        list[Path], typer.Option(exists=True, dir_okay=False, help="What was shown or signed; may be repeated.")
    ],
    scene: Annotated[str, typer.Option(help="Registered scene, such as business-handling.")],
    role: Annotated[str, typer.Option(help="Role of who acted, such as clerk; never a name.")] = "clerk",
    channel: Annotated[str, typer.Option(help="Where it happened, such as branch.")] = "branch",
    as_json: Json = False,
) -> None:
    """Put one act on record. The node keeps the documents; only salted digests reach the ledger, within a minute."""
    from lianzheng import __version__
    from lianzheng.clock import SystemClock
    from lianzheng.encoding.binary import b64u_encode

    body = {
        "case_id": case_id,
        "scene": scene,
        "operator_role": role,
        "context": {
            "system": "lianzheng-cli",
            "software_version": __version__,
            "channel": channel,
            "local_time_ms": SystemClock().now_ms(),
        },
        "documents": [
            {
                "name": path.name,
                "media_type": _TYPES.get(path.suffix.lower(), "application/octet-stream"),
                "data": b64u_encode(read_input(path)),
            }
            for path in document
        ],
    }
    promise = ask_node(config, lambda node: node.post("/api/v1/evidence/records", body))
    leaf = promise["body"]["leaves"]["sha256"]
    show({"case": case_id, "leaf": leaf, "promise": promise}, as_json, ("case 案件", "leaf 叶"), [(case_id, leaf)])


@app.command("list")
def list_records(
    config: Config,
    case_id: Annotated[str | None, typer.Argument(metavar="CASE", help="Id of one case.")] = None,
    as_json: Json = False,
) -> None:
    """All cases; or one case's records with their state: received, batched, anchored, final."""
    if case_id is None:
        found = ask_node(config, lambda node: node.get("/api/v1/cases"))
        show(found, as_json, ("case 案件",), [(one,) for one in found["cases"]])
        return
    found = ask_node(config, lambda node: node.get(f"/api/v1/cases/{segment(case_id)}"))
    rows = [
        (one["scene"], one["operator_role"], one["state"], " ".join(d["name"] for d in one["documents"]), one["leaf"])
        for one in found["records"]
    ]
    show(found, as_json, ("scene 场景", "role 角色", "state 状态", "documents 文件", "leaf 叶"), rows)


@app.command("documents")
def documents(case_id: _Case, config: Config, as_json: Json = False) -> None:
    """The documents of a case, with their digests."""
    found = ask_node(config, lambda node: node.get(f"/api/v1/cases/{segment(case_id)}/documents"))
    rows = [(one["name"], one["media_type"], str(one["size_bytes"]), one["sha256"]) for one in found["documents"]]
    show(found, as_json, ("name 名称", "type 类型", "bytes 字节", "sha256"), rows)


@app.command("document", context_settings=ID)
def document_bytes(
    sha256: Annotated[str, typer.Argument(help="Digest, as `evidence documents` prints it.")],
    config: Config,
    out: Out,
    as_json: Json = False,
) -> None:
    """Write the very bytes of one document, readable by you alone: it may hold personal data."""
    data = ask_node(config, lambda node: node.get_bytes(f"/api/v1/evidence/documents/{segment(sha256)}"))
    _written(out, data, as_json, private=True)


@app.command("bundle")
def bundle(
    case_id: _Case,
    config: Config,
    out: Out,
    checkpoint: Annotated[
        str | None,
        typer.Option("--checkpoint", help="latest, or a checkpoint's height: what is older than a year needs one."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the bundle of a case; `lianzheng verify` checks it anywhere, without a node."""
    if checkpoint is not None and not re.fullmatch(r"latest|[0-9]{1,15}", checkpoint):
        raise typer.BadParameter("latest, or a height", param_hint="--checkpoint")
    under = "" if checkpoint is None else f"?checkpoint={checkpoint}"
    path = f"/api/v1/cases/{segment(case_id)}/bundle{under}"
    _written(out, ask_node(config, lambda node: node.get_bytes(path)), as_json)


@app.command("trust")
def trust(
    config: Config,
    out: Out,
    witnesses: Annotated[
        bool, typer.Option("--witnesses", help="With the keys of everybody who cosigns checkpoints.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the network's trust file as this node sees it; hand it over apart from any bundle."""
    path = "/api/v1/network/trust" + ("/witnesses" if witnesses else "")
    _written(out, ask_node(config, lambda node: node.get_bytes(path)), as_json)


@app.command("verify-all")
def verify_all(
    config: Config,
    trust: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Trust file from another member; this node's own proves less."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Take the bundle of every case out of the node and check it as `lianzheng verify` does.

    Exit status: 0 all valid; 1 one is refused; 3 all consistent, but no trust file was given; 4 one cannot be had now.
    """
    found = ask_node(config, lambda node: _check_all(node, None if trust is None else read_input(trust)))
    rows = [(one["case"], one["verdict"], one["code"] or "–", str(one["records"])) for one in found["cases"]]
    if as_json:
        show_json(found)
    else:
        table(("case 案件", "verdict 结论", "code 原因", "records 记录"), rows)
        say(f"{len(rows)} cases")
    verdicts = {one["verdict"] for one in found["cases"]}
    refused, pending = "refused" in verdicts, "pending" in verdicts
    calm = OK if trust is not None else UNANCHORED
    raise typer.Exit(REFUSED if refused else UNAVAILABLE if pending else calm)


async def _check_all(node: NodeClient, trust: bytes | None) -> dict[str, Any]:
    cases = []
    for case_id in (await node.get("/api/v1/cases"))["cases"]:
        cases.append({"case": case_id, **await _check(node, case_id, trust)})
    return {"trust": trust is not None, "cases": cases}


async def _check(node: NodeClient, case_id: str, trust: bytes | None) -> dict[str, Any]:
    from lianzheng.clock import SystemClock
    from lianzheng.errors import ConflictError, LianzhengError
    from lianzheng.verify import verify_bundle

    try:
        data = await node.get_bytes(f"/api/v1/cases/{segment(case_id)}/bundle")
    except ConflictError as error:  # not anchored yet
        return {"verdict": "pending", "code": error.code, "records": 0}
    try:
        report = verify_bundle(data, trust, SystemClock().now_ms())
    except LianzhengError as error:
        return {"verdict": "refused", "code": error.code, "records": 0}
    verdict = "valid" if report.anchored else "unanchored"
    return {"verdict": verdict, "code": None, "records": len(report.records)}


def _written(out: Path, data: bytes, as_json: bool, *, private: bool = False) -> None:
    save_new(out, data, private=private, quiet=as_json)
    if as_json:
        show_json({"out": str(out), "bytes": len(data)})
