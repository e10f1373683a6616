"""What CometBFT v0.38 hashes and signs, written anew from its ``.proto`` files and from RFC 6962."""

from __future__ import annotations

import base64
import calendar
import hashlib
import time
from typing import Any

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from tools.checker.basics import tree_root

__all__ = ["header_hash", "results_hash", "signed_power", "txs_hash", "validators_hash"]

_FOR_BLOCK = 2


def header_hash(header: Any) -> bytes:
    """The block's name: root over the fields in their order, each wrapped as protobuf wraps a single value."""
    version = _uint(1, int(header["version"]["block"])) + _uint(2, int(header["version"].get("app") or 0))
    fields = [version, _bin(1, header["chain_id"].encode()), _uint(1, int(header["height"])), _time(header["time"])]
    fields.append(_block_id(header["last_block_id"]))
    for name in ("last_commit", "data", "validators", "next_validators", "consensus"):
        fields.append(_bin(1, bytes.fromhex(header[f"{name}_hash"])))
    for name in ("app_hash", "last_results_hash", "evidence_hash", "proposer_address"):
        fields.append(_bin(1, bytes.fromhex(header[name])))
    return tree_root(fields)


def txs_hash(transactions: list[bytes]) -> bytes:
    """Of a block's transactions: the leaves are their hashes."""
    return tree_root([hashlib.sha256(one).digest() for one in transactions])


def results_hash(results: list[tuple[int, bytes]]) -> bytes:
    """Of code and data of every transaction."""
    return tree_root([_uint(1, code) + _bin(2, data) for code, data in results])


def validators_hash(validators: dict[bytes, int]) -> bytes:
    """Of keys and powers, the mightiest first, then by address."""
    ordered = sorted(validators.items(), key=lambda one: (-one[1], hashlib.sha256(one[0]).digest()[:20]))
    return tree_root([_message(1, _bin(1, key)) + _uint(2, power) for key, power in ordered])


def signed_power(chain_id: str, commit: Any, validators: dict[bytes, int]) -> int:
    """Power of the validators whose signatures for the block are good; none counts twice."""
    addresses = {hashlib.sha256(key).digest()[:20].hex().upper(): key for key in validators}
    signers = set()
    for one in commit["signatures"]:
        key = addresses.get(one["validator_address"])
        if one["block_id_flag"] != _FOR_BLOCK or key is None:
            continue
        vote = _vote(chain_id, commit, one["timestamp"])
        if _is_signed(key, vote, base64.b64decode(one["signature"])):
            signers.add(key)
    return sum(validators[key] for key in signers)


def _vote(chain_id: str, commit: Any, timestamp: str) -> bytes:
    vote = _uint(1, 2) + _fixed(2, int(commit["height"])) + _fixed(3, int(commit["round"]))
    vote += _message(4, _block_id(commit["block_id"])) + _message(5, _time(timestamp)) + _bin(6, chain_id.encode())
    return _varint(len(vote)) + vote


def _block_id(value: Any) -> bytes:
    parts = _uint(1, value["parts"]["total"]) + _bin(2, bytes.fromhex(value["parts"]["hash"]))
    return _bin(1, bytes.fromhex(value["hash"])) + _message(2, parts)


def _time(text: str) -> bytes:
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    return _uint(1, seconds) + _uint(2, int((fraction + "000000000")[:9]))


def _is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(key).verify(message, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def _uint(number: int, value: int) -> bytes:
    return bytes([number << 3]) + _varint(value) if value else b""


def _fixed(number: int, value: int) -> bytes:
    return bytes([number << 3 | 1]) + value.to_bytes(8, "little") if value else b""


def _bin(number: int, value: bytes) -> bytes:
    return _message(number, value) if value else b""


def _message(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])
