"""The witness nodes that a member's configuration lists: who may follow the chain without a vote (EV-6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lianzheng.adapters.transport.client import PeerAddress
from lianzheng.crypto.digest import sha256_raw
from lianzheng.errors import ConfigError, FormatError
from lianzheng.flows.checkpoints import Cosigner
from lianzheng.ledger.note import COSIGNATURE, NoteKey
from lianzheng.node.config import WitnessPeer

__all__ = ["Witness", "load_witnesses"]


@dataclass(frozen=True, slots=True)
class Witness:
    """One witness: how it signs, by which certificate it is known, and where it is asked."""

    cosigner: Cosigner
    certificate: bytes
    """DER."""
    endpoint: str | None

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the certificate's DER."""
        return sha256_raw(self.certificate)

    @property
    def address(self) -> PeerAddress | None:
        """Where it is asked, or None."""
        return None if self.endpoint is None else PeerAddress(self.endpoint, self.certificate)


def load_witnesses(listed: Iterable[WitnessPeer]) -> dict[str, Witness]:
    """By name. Raises ``ConfigError`` ``witness_invalid`` naming the witness and what is wrong."""
    found: dict[str, Witness] = {}
    for one in listed:
        try:
            key = NoteKey.from_text(one.key)
            certificate = x509.load_pem_x509_certificate(one.certificate.read_bytes()).public_bytes(Encoding.DER)
        except (OSError, ValueError, FormatError) as error:
            raise _invalid(one.name, "its key or its certificate cannot be read") from error
        if key.kind != COSIGNATURE or key.name != one.name:
            raise _invalid(one.name, "its key is not a cosigner's of this name")
        if one.name in found:
            raise _invalid(one.name, "it is listed twice")
        cosigner = Cosigner(one.name, one.control_group or one.name, key.public, reachable=one.endpoint is not None)
        found[one.name] = Witness(cosigner, certificate, one.endpoint)
    return found


def _invalid(name: str, what: str) -> ConfigError:
    return ConfigError(
        "witness_invalid",
        f"[[ledger.witness]] {name}: {what}.",
        next_step="Copy name, key and certificate as `lianzheng init witness` wrote them.",
    )
