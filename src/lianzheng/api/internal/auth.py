"""The operator's bearer token, compared in constant time."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from fastapi import Header

from lianzheng.api.services import NodeServices
from lianzheng.errors import LianzhengError

__all__ = ["UnauthenticatedError", "require_operator"]


class UnauthenticatedError(LianzhengError):
    """No or a wrong bearer token."""

    status = 401


def require_operator(services: NodeServices) -> Callable[[str], None]:
    """A dependency that refuses requests without the operator's token (``token_missing``, ``token_wrong``)."""
    expected = services.api_token.encode()

    def check(authorization: str = Header(default="")) -> None:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer" or not given:
            raise UnauthenticatedError(
                "token_missing", "This route needs the operator's token.", next_step="Send `Authorization: Bearer …`."
            )
        if not hmac.compare_digest(given.strip().encode(), expected):
            raise UnauthenticatedError("token_wrong", "The operator's token is not this node's.")

    return check
