"""DIDs and DID URLs by the ABNF of DID 1.1 §3.1 and §3.2; an absent component is None, an empty one is not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from lianzheng.errors import FormatError
from lianzheng.limits import DID_URL_CHARS_MAX

__all__ = ["DidUrl", "parse_did", "parse_did_url", "parse_query"]

_IDCHAR = r"(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})"
_DID = re.compile(rf"did:([a-z0-9]+):((?:{_IDCHAR}*:)*{_IDCHAR}+)\Z")
_PCHAR = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_PATH = re.compile(rf"(?:/{_PCHAR}*)*\Z")
_QUERY = re.compile(rf"(?:{_PCHAR}|[/?])*\Z")
_PARTS = re.compile(r"([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DidUrl:
    """A DID URL in its parts, none of them decoded."""

    did: str
    method: str
    specific: str
    """The method-specific id."""
    path: str = ""
    query: str | None = None
    fragment: str | None = None

    @property
    def parameters(self) -> dict[str, str]:
        """The DID parameters of the query. Raises as :func:`parse_query`."""
        return parse_query(self.query or "")


def parse_did(text: str) -> DidUrl:
    """A DID and nothing after it; raises ``FormatError`` ``did_invalid``."""
    found = _DID.match(text) if len(text) <= DID_URL_CHARS_MAX else None
    if found is None:
        raise FormatError("did_invalid", "Not a DID by the syntax of DID 1.1.", next_step="Use did:<method>:<id>.")
    return DidUrl(text, found.group(1), found.group(2))


def parse_did_url(text: str) -> DidUrl:
    """A DID URL; raises ``FormatError`` ``did_invalid`` for a bare DID that is none, else ``did_url_invalid``."""
    parts = _PARTS.match(text)
    if parts is None or len(text) > DID_URL_CHARS_MAX:
        raise _invalid()
    base, path, query, fragment = parts.groups()
    if not path and query is None and fragment is None:
        return parse_did(text)
    try:
        did = parse_did(base)
    except FormatError:
        raise _invalid() from None
    if not (_PATH.match(path) and _QUERY.match(query or "") and _QUERY.match(fragment or "")):
        raise _invalid()
    return DidUrl(did.did, did.method, did.specific, path, query, fragment)


def parse_query(query: str) -> dict[str, str]:
    """Parameters by name, percent-decoded (``+`` is itself, RFC 3986).

    Raises ``FormatError`` ``did_options_invalid`` for one that comes twice, has no name, or is not UTF-8.
    """
    found: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        try:
            name, value = unquote(name, errors="strict"), unquote(value, errors="strict")
        except UnicodeDecodeError:
            name = ""
        if not name or name in found:
            raise FormatError("did_options_invalid", "A parameter stands twice, has no name, or is not UTF-8.")
        found[name] = value
    return found


def _invalid() -> FormatError:
    return FormatError("did_url_invalid", "Not a DID URL by the syntax of DID 1.1.")
