"""``lianzheng query``: hidden queries about this member's own consenting customers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lianzheng.cli.documents import read_input
from lianzheng.cli.exits import OK, REFUSED
from lianzheng.cli.output import say, show_json, table
from lianzheng.cli.session import Config, Json, ask_node

if TYPE_CHECKING:
    from lianzheng.client.http import NodeClient

__all__ = ["app", "print_traces"]

app = typer.Typer(no_args_is_help=True, help="Ask the providers of a task about consenting customers. 匿踪查询")
_TIMEOUT_S = 600
_TITLES = ("client 客户编号", "provider 提供机构", "status 状态", "bands 档位", "bytes 字节", "ms")


@app.callback()
def group() -> None:
    """Ask the providers of a task about consenting customers."""


@app.command("run")
def run(
    config: Config,
    task: Annotated[str, typer.Option(help="Id of an approved task.")],
    client: Annotated[str | None, typer.Argument(help="Client reference, as `enrol find` prints it.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Client references, one a line; '-' for standard input.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask about one customer, or about a file of them in batches. The providers learn of nobody.

    Each provider's answer stands for itself: who refuses is named with the reason code. Exit status 1 if nobody
    answered anything about anybody. Each view asked counts as one use, once in an epoch.
    """
    if (client is None) == (file is None):
        raise typer.BadParameter("name one client, or --file", param_hint="CLIENT")
    clients = [client] if client is not None else _read_clients(file or Path("-"))
    found = ask_node(config, lambda node: _ask(node, task, clients, quiet=as_json), _TIMEOUT_S)
    if as_json:
        show_json(found)
    else:
        print_traces([(one["client"], one["traces"]) for one in found["answers"]])
    statuses = {trace["bands"]["status"] for one in found["answers"] for trace in one["traces"]}
    raise typer.Exit(OK if "answered" in statuses else REFUSED)


def print_traces(answers: Sequence[tuple[str, Sequence[dict[str, Any]]]]) -> None:
    """What each provider gave, customer by customer."""
    rows = []
    for client, traces in answers:
        for trace in traces:
            bands = trace["bands"]
            told = " ".join(f"{code}={band}" for code, band in sorted(bands["bands"].items())) or bands["code"] or "–"
            size, elapsed = trace["sent_bytes"] + trace["received_bytes"], trace["elapsed_us"] // 1000
            rows.append((client, bands["provider"], bands["status"], told, str(size), str(elapsed)))
    table(_TITLES, rows)


async def _ask(node: NodeClient, task: str, clients: Sequence[str], *, quiet: bool) -> dict[str, Any]:
    answers: list[Any] = []
    for part in _parts(clients):
        found = await node.post("/api/v1/queries", {"task": task, "clients": part})
        answers += found["answers"]
        if not quiet and len(clients) > len(part):
            say(f"{len(answers)} of {len(clients)}", err=True)
    return {"task": task, "answers": answers}


def _parts(clients: Sequence[str]) -> Iterator[list[str]]:
    from lianzheng.limits import GATE_BATCH_MAX

    for start in range(0, len(clients), GATE_BATCH_MAX):
        yield list(clients[start : start + GATE_BATCH_MAX])


def _read_clients(path: Path) -> list[str]:
    """References in their order, each once. Raises ``FormatError`` ``clients_empty``, ``clients_malformed``."""
    from lianzheng.errors import FormatError

    try:
        lines = read_input(path).decode("ascii").split()
    except UnicodeDecodeError as error:
        raise FormatError("clients_malformed", f"{path} holds something else than client references.") from error
    clients = list(dict.fromkeys(lines))
    if any(not one.startswith("c-") for one in clients):
        # Not quoted: it may be an identity number that was put here by mistake.
        raise FormatError(
            "clients_malformed",
            f"{path} holds something else than client references, one a line.",
            next_step="`lianzheng enrol find` gives the reference of a person.",
        )
    if not clients:
        raise FormatError("clients_empty", f"{path} names nobody.")
    return clients
