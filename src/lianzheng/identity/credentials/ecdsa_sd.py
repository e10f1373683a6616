"""Cryptosuite ``ecdsa-sd-2023`` (W3C Data Integrity ECDSA Cryptosuites 1.0, §3.5): base and derived proofs.

The issuer signs each statement on its own with a key made for this one credential, and that key, the proof options
and the mandatory statements with its own key. The holder passes on the statements it chooses. Blank nodes are named
by HMAC, so that their numbering tells nothing of what was left out.

base signature: P-256 over  H(proof options) ‖ multikey bytes of the proof key ‖ H(mandatory statements)
proofValue:     ``u`` + base64url of
  base     d9 5d 00 ‖ CBOR [base signature, proof key, HMAC key, signatures, mandatory pointers]
  derived  d9 5d 01 ‖ CBOR [base signature, proof key, signatures, {c14n number: HMAC label}, mandatory indexes]
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Any

from lianzheng.crypto import ecdsa
from lianzheng.encoding.binary import b64u_decode, b64u_encode, varint_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.cbor import decode_cbor, encode_cbor
from lianzheng.encoding.multikey import P256_PUB
from lianzheng.errors import FormatError, VerificationError
from lianzheng.identity.credentials.linked_data import canonicalize, to_dataset
from lianzheng.identity.credentials.selection import (
    LabelFactory,
    canonicalize_and_group,
    check_pointers,
    label_statements,
    select,
)
from lianzheng.limits import SD_VALUE_CHARS_MAX

__all__ = ["CRYPTOSUITE", "BaseKeys", "create_base", "derive", "hmac_labels", "verify_derived"]

CRYPTOSUITE = "ecdsa-sd-2023"
_BASE, _DERIVED = b"\xd9\x5d\x00", b"\xd9\x5d\x01"
_PREFIX = varint_encode(P256_PUB)


@dataclass(frozen=True, repr=False)
class BaseKeys:
    """The keys of one base proof: a secret scalar that signs statements, and the HMAC key of labels."""

    proof_secret: bytes
    hmac_key: bytes


def create_base(
    unsecured: JsonObject,
    config: JsonObject,
    mandatory_pointers: Iterable[str],
    sign: Callable[[bytes], bytes],
    keys: BaseKeys | None = None,
) -> str:
    """The base proof value, from which the holder derives. Errors as of ``canonicalize_and_group``."""
    pointers = check_pointers(tuple(mandatory_pointers))
    keys = keys or BaseKeys(ecdsa.generate("P-256"), secrets.token_bytes(32))
    grouped = canonicalize_and_group(unsecured, hmac_labels(keys.hmac_key), {"mandatory": pointers})
    group = grouped.groups["mandatory"]
    public = _PREFIX + ecdsa.public_key("P-256", keys.proof_secret)
    base = sign(_base_message(config, public, group.matching.values()))
    signatures = [ecdsa.sign("P-256", keys.proof_secret, line.encode("utf-8")) for line in group.others.values()]
    return _encode(_BASE, [base, public, keys.hmac_key, signatures, list(pointers)])


def derive(document: JsonObject, proof: JsonObject, selective_pointers: Iterable[str]) -> JsonObject:
    """What ``selective_pointers`` and the issuer's mandatory ones reach of ``document``, with a derived proof.

    ``proof``: the base proof in ``document``. Raises ``FormatError`` ``disclosure_empty``, ``proof_not_base`` and
    those of ``canonicalize_and_group``.
    """
    base, public, hmac_key, signatures, mandatory = _parse_base(proof["proofValue"])
    selective = check_pointers(tuple(selective_pointers))
    combined = tuple(dict.fromkeys(mandatory + selective))
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    reveal = select(unsecured, combined)
    if reveal is None:
        raise FormatError("disclosure_empty", "Neither the issuer nor the holder chose anything to disclose.")
    wanted = {"mandatory": mandatory, "combined": combined}
    grouped = canonicalize_and_group(unsecured, hmac_labels(hmac_key), wanted)
    must, shown = grouped.groups["mandatory"], grouped.groups["combined"]
    if len(signatures) != len(must.others):
        raise VerificationError("proof_invalid", "The base proof is of another document.")
    indexes = [place for place, index in enumerate(shown.matching) if index in must.matching]
    kept = [one for one, index in zip(signatures, must.others, strict=True) if index in shown.matching]
    final: dict[str, str] = {}
    label_statements(shown.dataset, lambda canonical: _note(canonical, grouped.labels, final))
    numbers = {int(label.removeprefix("c14n")): b64u_decode(name[1:]) for label, name in final.items()}
    value = _encode(_DERIVED, [base, public, kept, numbers, indexes])
    return {**reveal, "proof": {**proof, "proofValue": value}}


def verify_derived(
    unsecured: JsonObject, config: JsonObject, value: str, verify: Callable[[bytes, bytes], None]
) -> None:
    """The derived proof ``value`` covers every statement of ``unsecured``.

    Raises ``VerificationError``: ``proof_not_derived`` (a base proof included), ``signature_invalid``.
    """
    base, public, signatures, labels, mandatory = _parse_derived(value)
    statements, _ = label_statements(to_dataset(unsecured), lambda canonical: _named(canonical, labels))
    if mandatory and mandatory[-1] >= len(statements):
        raise _not_derived()
    must = {*mandatory}
    others = [line for index, line in enumerate(statements) if index not in must]
    if len(others) != len(signatures):
        raise VerificationError("signature_invalid", "The proof has not one signature for each statement.")
    verify(_base_message(config, public, (statements[index] for index in mandatory)), base)
    for line, signature in zip(others, signatures, strict=True):
        ecdsa.verify("P-256", public[len(_PREFIX) :], line.encode("utf-8"), signature)


def _base_message(config: JsonObject, public: bytes, mandatory: Iterable[str]) -> bytes:
    options = sha256("".join(canonicalize(config).nquads).encode("utf-8")).digest()
    return options + public + sha256("".join(mandatory).encode("utf-8")).digest()


def hmac_labels(key: bytes) -> LabelFactory:
    def label(canonical: Mapping[str, str]) -> dict[str, str]:
        return {
            old: "u" + b64u_encode(hmac.digest(key, name.encode("ascii"), "sha256")) for old, name in canonical.items()
        }

    return label


def _note(canonical: Mapping[str, str], labels: Mapping[str, str], final: dict[str, str]) -> dict[str, str]:
    """Fill ``final`` with what the verifier will call each node, and what the base proof called it."""
    final |= {name: labels[old] for old, name in canonical.items()}
    return dict(labels)


def _named(canonical: Mapping[str, str], labels: Mapping[int, bytes]) -> dict[str, str]:
    try:
        return {old: "u" + b64u_encode(labels[int(name.removeprefix("c14n"))]) for old, name in canonical.items()}
    except KeyError as error:
        raise _not_derived() from error


def _encode(header: bytes, parts: list[Any]) -> str:
    return "u" + b64u_encode(header + encode_cbor(parts))


def _decode(value: str, header: bytes) -> Any:
    if not value.startswith("u") or len(value) > SD_VALUE_CHARS_MAX:
        return None
    data = b64u_decode(value[1:])
    return decode_cbor(data[3:]) if data[:3] == header else None


def _parse_base(value: str) -> tuple[bytes, bytes, bytes, list[bytes], tuple[str, ...]]:
    parts = _decode(value, _BASE)
    if not isinstance(parts, list) or len(parts) != 5:
        raise FormatError("proof_not_base", "The proof is not a base proof, from which one could derive.")
    base, public, key, signatures, pointers = parts
    if not (_is_bytes(base, 64) and _is_key(public) and _is_bytes(key, 32) and _are_signatures(signatures)):
        raise FormatError("proof_not_base", "The base proof has a part of the wrong form.")
    return base, public, key, signatures, check_pointers(pointers)


def _parse_derived(value: str) -> tuple[bytes, bytes, list[bytes], dict[int, bytes], list[int]]:
    parts = _decode(value, _DERIVED)
    if not isinstance(parts, list) or len(parts) != 5:
        raise _not_derived()
    base, public, signatures, labels, mandatory = parts
    if not (_is_bytes(base, 64) and _is_key(public) and _are_signatures(signatures)):
        raise _not_derived()
    if not isinstance(labels, dict) or not all(_is_bytes(label, 32) for label in labels.values()):
        raise _not_derived()
    # Two nodes under one label would merge their statements.
    if len({*labels.values()}) != len(labels) or sorted(labels) != list(range(len(labels))):
        raise _not_derived()
    if not isinstance(mandatory, list) or not all(isinstance(index, int) for index in mandatory):
        raise _not_derived()
    if any(low >= high for low, high in pairwise(mandatory)):
        raise _not_derived()
    return base, public, signatures, labels, mandatory


def _is_bytes(value: object, size: int) -> bool:
    return isinstance(value, bytes) and len(value) == size


def _is_key(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == 35 and value.startswith(_PREFIX)


def _are_signatures(value: object) -> bool:
    return isinstance(value, list) and all(_is_bytes(item, 64) for item in value)


def _not_derived() -> VerificationError:
    return VerificationError("proof_not_derived", "The proof is not a derived one of the right form.")
