"""What ``lianzheng dataset check`` and ``load`` do; imported when one of them runs."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lianzheng.adapters.sources.file import SourceFile, format_of
from lianzheng.adapters.sources.mapping import EXACT, Mapping, decode_mapping
from lianzheng.clock import SystemClock, day_of
from lianzheng.encoding.canonical import encode
from lianzheng.errors import ConflictError, LianzhengError
from lianzheng.limits import MAPPING_BYTES_MAX

if TYPE_CHECKING:
    from lianzheng.client.http import NodeClient

__all__ = ["check_file", "load_file"]

_CHUNK = 1024 * 1024
_LOOK_S = 1 / 5


def check_file(source: Path, mapping: Path | None, bad_rows: Path | None, *, test_network: bool, as_json: bool) -> None:
    """Print the report; raises ``source_refused``, or with ``as_json`` exits with status 1, unless all is well."""
    decoded = _mapping(mapping)
    day = day_of(SystemClock().now_ms())
    with (
        SourceFile(source, format_of(source), decoded, as_of=day, test_network=test_network) as file,
        _bar("checking", None, quiet=as_json) as tick,
    ):
        report = file.check(tick)
        if bad_rows is not None and report.bad and report.whole is None:
            written = file.export_bad(bad_rows)
            if not as_json:
                typer.echo(f"{written} bad rows written to {bad_rows}: personal data, delete it after use.")
    if as_json:
        typer.echo(encode(report.to_json()).decode())
        if not report.clean:
            raise typer.Exit(1)
        return
    report.raise_unless(0)
    typer.echo(f"{report.good} customers, sha256 {report.digest.hex()}")


async def load_file(
    node: NodeClient, dataset: str, source: Path, mapping: Path | None, accept_bad: int, *, quiet: bool
) -> dict[str, Any]:
    """Send the file, start the job, watch it to its end; a cancel here cancels it there.

    Raises what the job failed with, ``ConflictError`` ``job_cancelled``.
    """
    text = None if mapping is None else _mapping_bytes(mapping).decode("utf-8", "replace")
    _mapping(mapping)  # named by its file, before anything is sent
    upload = secrets.token_hex(16)
    try:
        await node.post_bytes(f"/api/v1/uploads?upload={upload}", _chunks(source), "application/octet-stream")
    except asyncio.CancelledError:  # the node may have all of it, and nobody to tell
        with suppress(LianzhengError):
            await node.delete(f"/api/v1/uploads/{upload}")
        raise
    body = {"upload": upload, "format": format_of(source), "mapping": text, "accept_bad": accept_bad}
    begun = asyncio.ensure_future(node.post(f"/api/v1/datasets/{dataset}/loads", body))
    try:
        job = (await asyncio.shield(begun))["job"]
    except LianzhengError:
        await node.delete(f"/api/v1/uploads/{upload}")
        raise
    except asyncio.CancelledError:  # Ctrl-C while the job begins: it is awaited, so that it can be cancelled
        job = (await begun)["job"]
        await node.delete(f"/api/v1/jobs/{job}")
        await _watch(node, job, True)
        raise
    try:
        ended = await _watch(node, job, quiet)
    except asyncio.CancelledError:
        await node.delete(f"/api/v1/jobs/{job}")
        await _watch(node, job, True)
        raise
    if ended["state"] == "cancelled":
        raise ConflictError("job_cancelled", "The load was cancelled; nothing was changed.")
    if ended["error"] is not None:
        from lianzheng.client.http import error_from

        raise error_from(ended["error"])
    result: dict[str, Any] = ended["result"]
    return result


async def _watch(node: NodeClient, job: str, quiet: bool) -> dict[str, Any]:
    with _bar("checking", None, quiet=quiet) as tick:
        while True:
            found: dict[str, Any] = await node.get(f"/api/v1/jobs/{job}")
            tick.total(found["total"] or None, "loading" if found["total"] else "checking")
            tick(found["done"])
            if found["state"] != "running":
                return found
            await asyncio.sleep(_LOOK_S)


class _bar:  # noqa: N801
    """Progress on standard error, where that is a terminal."""

    def __init__(self, what: str, total: int | None, *, quiet: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._progress.add_task(what, total=total)

    def __enter__(self) -> _bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, done: int) -> None:
        self._progress.update(self._task, completed=done)

    def total(self, total: int | None, what: str) -> None:
        self._progress.update(self._task, total=total, description=what)


async def _chunks(source: Path) -> AsyncIterator[bytes]:
    with source.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk


def _mapping_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAPPING_BYTES_MAX + 1)


def _mapping(path: Path | None) -> Mapping:
    return EXACT if path is None else decode_mapping(_mapping_bytes(path), path.name)
