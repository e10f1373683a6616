"""``lianzheng verify``: the offline auditor."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from lianzheng.clock import SystemClock, end_of_day_ms
from lianzheng.encoding.canonical import encode
from lianzheng.errors import LianzhengError, NotFoundError
from lianzheng.limits import BUNDLE_BYTES_MAX
from lianzheng.verify import EXIT_REFUSED, refusal_lines, verify_bundle

__all__ = ["verify"]

_DAY = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")


def verify(
    bundle: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CASE.bundle.json")],
    trust: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="network.trust.json: chain id, genesis digest, signers."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="YYYY-MM-DD at UTC+8: count ages to the end of this day; today if left out."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for machines.")] = False,
) -> None:
    """Check an evidence bundle offline: no network, no node, no database.

    What is older than a year needs a cosigned checkpoint (EV-6).

    Exit status: 0 valid under the trust file; 1 refused, with the part that does not hold; 2 wrong usage;
    3 consistent but unanchored, because no trust file was given.
    """
    as_of_ms = _as_of_ms(as_of)
    try:
        report = verify_bundle(_read(bundle), None if trust is None else _read(trust), as_of_ms)
    except LianzhengError as error:
        if as_json:
            typer.echo(encode({"verdict": "refused", "code": error.code, "text": error.text}).decode())
        else:
            _show(refusal_lines(error))
        raise typer.Exit(EXIT_REFUSED) from None
    if as_json:
        verdict = "valid" if report.anchored else "unanchored"
        summary = {"verdict": verdict, "chain_id": report.chain_id, "case_id": report.case_id}
        more = {"institution": report.institution, "records": len(report.records), "head_height": report.head_height}
        typer.echo(encode({**summary, **more}).decode())
    else:
        _show(report.lines())
    raise typer.Exit(report.exit_code)


def _as_of_ms(day: str | None) -> int:
    if day is None:
        return SystemClock().now_ms()
    if not _DAY.fullmatch(day):
        raise typer.BadParameter("a day looks like 2027-06-30", param_hint="--as-of")
    return end_of_day_ms(day)


def _show(lines: Iterable[str]) -> None:
    # A bundle may come from anybody: a name in it must not move the terminal's cursor over the verdict.
    typer.echo("\n".join("".join(one if one.isprintable() else "\ufffd" for one in line) for line in lines))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(BUNDLE_BYTES_MAX + 1)
    except OSError as error:
        raise NotFoundError("file_unreadable", f"{path} cannot be read.", next_step="Check the path.") from error
