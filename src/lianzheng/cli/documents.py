"""Identity documents, never from the command line: other users of a machine see every argument in the process list."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lianzheng.encoding.canonical import JsonObject
    from lianzheng.identity.enrolment import IdentityDocument

__all__ = ["Document", "read_document", "read_input", "read_object"]

Document = Annotated[
    Path | None,
    typer.Option(
        "--document",
        help="JSON file with type, country and number, '-' for standard input; asked for, unseen, if left out. "
        "Never on the command line, where `ps` would show it.",
    ),
]
_STDIN = Path("-")


def read_document(path: Path | None) -> IdentityDocument:
    """The document in ``path``, on standard input, or typed without echo.

    Raises ``FormatError`` as ``IdentityDocument.from_json``, ``ConfigError`` ``document_missing``, ``file_unreadable``.
    """
    from lianzheng.errors import ConfigError
    from lianzheng.identity.enrolment import IdentityDocument

    if path is not None:
        return IdentityDocument.from_json(read_object(path))
    if not sys.stdin.isatty():
        raise ConfigError(
            "document_missing", "There is no terminal to ask for the document.", next_step="Name --document FILE or -."
        )
    kind = typer.prompt("document type 证件类型", default="RESIDENT_ID", err=True)
    country = typer.prompt("country 国家", default="CN", err=True)
    number = getpass.getpass("number 号码 (not shown): ")
    return IdentityDocument.from_json({"type": kind, "country": country, "number": number.strip()})


def read_object(path: Path) -> JsonObject:
    """One JSON object from a file or standard input. Raises ``FormatError``, ``ConfigError`` ``file_unreadable``."""
    from lianzheng.encoding.canonical import parse
    from lianzheng.errors import FormatError

    value = parse(read_input(path))
    if not isinstance(value, dict):
        raise FormatError("json_type", "The file must hold a JSON object.")
    return value


def read_input(path: Path) -> bytes:
    """The bytes of a file, or of standard input for ``-``; bounded.

    Raises ``ConfigError`` ``file_unreadable``, ``FormatError`` ``too_large``.
    """
    from lianzheng.errors import ConfigError, FormatError
    from lianzheng.limits import FORM_BYTES_MAX

    try:
        if path == _STDIN:
            data = sys.stdin.buffer.read(FORM_BYTES_MAX + 1)
        else:
            with path.open("rb") as file:
                data = file.read(FORM_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError("file_unreadable", f"{path} cannot be read.", next_step="Check the path.") from error
    if len(data) > FORM_BYTES_MAX:
        raise FormatError("too_large", f"{path} has more than {FORM_BYTES_MAX} bytes.")
    return data
