"""A member's own certificate: self-signed, no CA, known to the others by its DER on the ledger."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lianzheng.clock import Clock, SystemClock
from lianzheng.crypto.digest import sha256_raw
from lianzheng.errors import ConfigError

__all__ = ["MemberCertificate", "create_certificate", "fingerprint", "load_identity"]

_DAYS = 825
_BACKDATE = timedelta(hours=1)  # members' clocks differ; a certificate must hold at once at all of them
_NAME_BYTES_MAX = 64  # X.520 upper bound of a common name, which the library counts in bytes


@dataclass(frozen=True, slots=True)
class MemberCertificate:
    """A certificate in both encodings."""

    pem: bytes
    der: bytes


def create_certificate(name: str, host: str, clock: Clock | None = None) -> tuple[MemberCertificate, bytes]:
    """A P-256 certificate for ``host`` and its private key as PEM; marked as no CA, so it can issue for nobody."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.fromtimestamp((clock or SystemClock()).now_ms() // 1000, UTC)
    shown = name.encode()[:_NAME_BYTES_MAX].decode(errors="ignore")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, shown)])
    usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return MemberCertificate(certificate.public_bytes(Encoding.PEM), certificate.public_bytes(Encoding.DER)), private


def fingerprint(der: bytes) -> bytes:
    """SHA-256 of the DER: what the ledger's member record carries."""
    return sha256_raw(der)


def load_identity(context: ssl.SSLContext, certificate: Path, private_key: Path) -> None:
    """``context`` shows ``certificate``. Raises ``ConfigError`` ``certificate_unusable`` with both names."""
    try:
        context.load_cert_chain(certificate, private_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            "certificate_unusable",
            f"The certificate {certificate} cannot be used with the key {private_key}.",
            next_step="Both are PEM files written by `lianzheng init`; restore them or make a new pair.",
            detail=type(error).__name__,
        ) from error


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
