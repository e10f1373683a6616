"""Heads with their commits, read from this member's own engine and brought into the one encoding (EV-4)."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

from lianzheng.adapters.consensus.cometbft.rpc import CometRpc
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import NotFoundError, UnavailableError
from lianzheng.ledger.cometbft import (
    BlockId,
    CometHead,
    CometHeader,
    CommitSignature,
    CommitVotes,
    Time,
    Validator,
)

__all__ = ["fetch_head", "parse_time"]

_FOR_BLOCK = 2
_PAGE = 100


async def fetch_head(rpc: CometRpc, height: int) -> CometHead:
    """Header, commit and validators of a height.

    Raises ``NotFoundError`` ``head_unknown`` where the engine has no such block; ``UnavailableError``
    ``engine_unreachable``, ``engine_answer_malformed``.
    """
    try:
        signed = (await rpc.call("commit", height=str(height)))["signed_header"]
        validators = await _validators(rpc, height)
        return _head(signed, validators)
    except UnavailableError as error:
        if error.code != "engine_error":
            raise
        raise NotFoundError("head_unknown", "The engine has no block of this height.") from error
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise UnavailableError("engine_answer_malformed", "An answer of the engine is malformed.") from error


async def _validators(rpc: CometRpc, height: int) -> tuple[Validator, ...]:
    found: list[Validator] = []
    page = 1
    while True:
        answer = await rpc.call("validators", height=str(height), page=str(page), per_page=str(_PAGE))
        found += [
            Validator(key=base64.b64decode(one["pub_key"]["value"]), power=int(one["voting_power"]))
            for one in answer["validators"]
        ]
        if len(found) >= int(answer["total"]) or not answer["validators"]:
            return tuple(found)
        page += 1


def _head(signed: JsonObject, validators: tuple[Validator, ...]) -> CometHead:
    commit = signed["commit"]
    total, power = sum(one.power for one in validators), 0
    signatures: list[CommitSignature] = []
    for index, one in enumerate(commit["signatures"]):
        if one["block_id_flag"] != _FOR_BLOCK or 3 * power > 2 * total:
            continue
        power += validators[index].power
        time = parse_time(one["timestamp"])
        signatures.append(CommitSignature(validator=index, time=time, signature=base64.b64decode(one["signature"])))
    votes = CommitVotes(round=commit["round"], block_id=_block_id(commit["block_id"]), signatures=tuple(signatures))
    return CometHead(header=_header(signed["header"]), commit=votes, validators=validators)


def _header(value: JsonObject) -> CometHeader:
    return CometHeader(
        version_block=int(value["version"]["block"]),
        version_app=int(value["version"].get("app", 0)),
        chain_id=value["chain_id"],
        height=int(value["height"]),
        time=parse_time(value["time"]),
        last_block_id=_block_id(value["last_block_id"]),
        **{
            name: bytes.fromhex(value[name])
            for name in (
                "last_commit_hash",
                "data_hash",
                "validators_hash",
                "next_validators_hash",
                "consensus_hash",
                "app_hash",
                "last_results_hash",
                "evidence_hash",
                "proposer_address",
            )
        },
    )


def _block_id(value: JsonObject) -> BlockId:
    parts = value["parts"]
    return BlockId(
        hash=bytes.fromhex(value["hash"]), parts_total=parts["total"], parts_hash=bytes.fromhex(parts["hash"])
    )


def parse_time(text: Any) -> Time:
    """Seconds and nanoseconds of an RFC 3339 time in UTC with up to nine decimals. Raises ``ValueError``."""
    whole, _, fraction = str(text).removesuffix("Z").partition(".")
    seconds = int(datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).timestamp())
    return Time(seconds=seconds, nanos=int(fraction.ljust(9, "0")) if fraction else 0)
