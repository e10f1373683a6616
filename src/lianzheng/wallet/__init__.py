"""The investor's side: keys, enrolment, consent, withdrawal. Its storage is a port (AUTH-7)."""

from lianzheng.wallet.acts import SignedConsent, WalletWarning, preview_text
from lianzheng.wallet.model import AccessEntry, HeldConsent, HeldCredential
from lianzheng.wallet.ports import WalletStore
from lianzheng.wallet.wallet import Wallet

__all__ = [
    "AccessEntry",
    "HeldConsent",
    "HeldCredential",
    "SignedConsent",
    "Wallet",
    "WalletStore",
    "WalletWarning",
    "preview_text",
]
