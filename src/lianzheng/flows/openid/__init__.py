"""One member as OpenID4VCI 1.0 issuer and OpenID4VP 1.0 verifier, for wallets of others (docs/spec/openid.md)."""

from lianzheng.flows.openid.desk import OpenIdDesk
from lianzheng.flows.openid.issuance import Granted, IssuanceDesk, Offered
from lianzheng.flows.openid.presentation import Asked, PresentationDesk, Presented, Wish
from lianzheng.flows.openid.shelf import Allowance

__all__ = [
    "Allowance",
    "Asked",
    "Granted",
    "IssuanceDesk",
    "Offered",
    "OpenIdDesk",
    "PresentationDesk",
    "Presented",
    "Wish",
]
