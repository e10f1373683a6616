"""Identifiers: shapes and nothing else. A DID's network part is the chain id (B4)."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import StringConstraints

from lianzheng.errors import FormatError

__all__ = ["ChainId", "Did", "KeyId", "ViewId", "chain_of_did", "check_did", "view_id"]

_DID = re.compile(r"did:lz:([a-z0-9-]{1,32}):(z[1-9A-HJ-NP-Za-km-z]{40,45})\Z")
ChainId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
Did = Annotated[str, StringConstraints(pattern=r"^did:lz:[a-z0-9-]{1,32}:z[1-9A-HJ-NP-Za-km-z]{40,45}$")]
KeyId = Annotated[str, StringConstraints(pattern=r"^#[a-z0-9-]{1,40}$")]
"""Fragment of a verification method below a DID, such as ``#node`` or ``#cred-0`` (B12)."""
ViewId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}/[a-z0-9-]{1,32}/[a-z0-9-]{1,32}$")]
"""``dataset/bundle/form`` (B15)."""


def check_did(text: str) -> str:
    """``text`` if it is a did:lz identifier; raises ``FormatError`` ``did_invalid``."""
    if not _DID.match(text):
        raise FormatError("did_invalid", "Not a did:lz identifier.", next_step="Use did:lz:<network>:<id>.")
    return text


def chain_of_did(did: str) -> str:
    """The chain id inside a did:lz identifier; raises ``FormatError`` ``did_invalid``."""
    return check_did(did).split(":")[2]


def view_id(dataset: str, bundle: str, form: str) -> str:
    """The identifier of a view (B15, GATE-0)."""
    return f"{dataset}/{bundle}/{form}"
