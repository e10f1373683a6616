"""Both sides of a member behind one base URL."""

from __future__ import annotations

from dataclasses import dataclass

from lianzheng.flows.openid.issuance import IssuanceDesk
from lianzheng.flows.openid.presentation import PresentationDesk
from lianzheng.flows.openid.shelf import Allowance

__all__ = ["OpenIdDesk"]


@dataclass(frozen=True, slots=True)
class OpenIdDesk:
    """What the routes for outside wallets and the operator's routes beside them call."""

    base_url: str
    issuance: IssuanceDesk
    presentation: PresentationDesk
    allowance: Allowance
