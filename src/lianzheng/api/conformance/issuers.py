"""One issuer for each cryptosuite and kind of key, under a did:key made at the start and forgotten at the end."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from lianzheng.crypto import ecdsa
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, P384_PUB
from lianzheng.errors import NotFoundError
from lianzheng.identity.credentials.keys import ProofSigner, did_key_signer

__all__ = ["DEFAULT_PROFILE", "ENVELOPE", "STATUS_PROFILE", "Issuer", "Issuers"]

ENVELOPE = "vc-jose-cose"
DEFAULT_PROFILE = "eddsa-rdfc-2022"
STATUS_PROFILE = "bitstring-status-list"  # every credential gets an entry: that suite sends no option for it
_PROFILES = {
    "eddsa-rdfc-2022": ("eddsa-rdfc-2022", ED25519_PUB),
    "eddsa-jcs-2022": ("eddsa-jcs-2022", ED25519_PUB),
    "ecdsa-rdfc-2019-p256": ("ecdsa-rdfc-2019", P256_PUB),
    "ecdsa-rdfc-2019-p384": ("ecdsa-rdfc-2019", P384_PUB),
    "ecdsa-jcs-2019-p256": ("ecdsa-jcs-2019", P256_PUB),
    "ecdsa-jcs-2019-p384": ("ecdsa-jcs-2019", P384_PUB),
    "ecdsa-sd-2023": ("ecdsa-sd-2023", P256_PUB),
    "vc-jose-cose": (ENVELOPE, P256_PUB),
    STATUS_PROFILE: ("eddsa-rdfc-2022", ED25519_PUB),
}


@dataclass(frozen=True)
class Issuer:
    """A profile: its name in the path, what it secures credentials with, and its key."""

    profile: str
    suite: str
    signer: ProofSigner

    @property
    def did(self) -> str:
        """The issuer's did:key."""
        return self.signer.verification_method.partition("#")[0]


class Issuers:
    """All profiles, each under a fresh key of its own."""

    def __init__(self) -> None:
        self.all = tuple(
            Issuer(profile, suite, did_key_signer(codec, _secret(codec)))
            for profile, (suite, codec) in _PROFILES.items()
        )
        self._by_profile = {issuer.profile: issuer for issuer in self.all}

    def find(self, profile: str) -> Issuer:
        """The issuer of ``profile``. Raises ``NotFoundError`` ``profile_unknown``."""
        issuer = self._by_profile.get(profile)
        if issuer is None:
            raise NotFoundError("profile_unknown", "There is no such profile; the start prints them.")
        return issuer


def _secret(codec: int) -> bytes:
    if codec == ED25519_PUB:
        return secrets.token_bytes(32)
    return ecdsa.generate("P-256" if codec == P256_PUB else "P-384")
