"""A bundle under CometBFT's heads: accepted under its trust file, refused with any member altered (EV-4)."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pytest

from bundle_kit import JsonPath, as_json, valid, walk
from comet_kit import MEMBERS, Member, make_head
from lianzheng.clock import DAY_MS
from lianzheng.crypto import ed25519
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import decode_object, encode
from lianzheng.errors import VerificationError
from lianzheng.evidence.model import WitnessTrust
from lianzheng.ledger.apphash import app_hash
from lianzheng.ledger.checkpoint import checkpoint_of
from lianzheng.ledger.cometbft import CometHead, Validator, verify_comet_head
from lianzheng.ledger.cometbft.encoding import header_hash, vote_bytes
from lianzheng.ledger.cometbft.powers import in_order
from lianzheng.ledger.cometbft.verify import check_validator_order
from lianzheng.ledger.note import Note
from lianzheng.verify import EXIT_OK, EXIT_UNANCHORED, verify_bundle
from witness_kit import REGULATOR, STRANGER

EPSILON = Member("epsilon")
FIRST = in_order({member.validator: 2520 for member in MEMBERS})
"""At genesis; from the change at height 5 on epsilon stands in delta's place."""
SECOND = in_order({member.validator: 2520 for member in (*MEMBERS[:3], EPSILON)})


def first_three(validators: tuple[Validator, ...]) -> list[Member]:
    """Members behind the first three validators: 7560 of 10080."""
    by_key = {member.validator: member for member in (*MEMBERS, EPSILON)}
    return [by_key[one.key] for one in validators[:3]]


@cache
def comet() -> tuple[bytes, bytes]:
    """Bundle and trust file: the records of the embedded bundle under a head of CometBFT."""
    document = as_json()
    ledger, chain = document["ledger"], document["network"]["chain_id"]
    log_root, state_root = b64u_decode(ledger["log_root"]), b64u_decode(ledger["state_root"])
    root = app_hash(ledger["schema_version"], log_root, ledger["log_size"], state_root)
    change = make_head(first_three(FIRST), FIRST, height=5, following=SECOND, chain_id=chain)
    head = make_head(first_three(SECOND), SECOND, height=5000, app_hash=root, chain_id=chain)
    signers = [one.to_json() for one in FIRST]
    document["network"]["signers"] = signers
    ledger["head"], ledger["head_chain"] = head.to_json(), [change.to_json()]
    trust = decode_object(valid()[1]) | {"signers": signers}
    return encode(document), encode(trust)


def test_ev6_a_checkpoint_over_a_head_of_this_engine() -> None:
    """Height, block hash, application hash and next validators are the header's; the log has no key of its own."""
    document, head = decode_object(comet()[0], 2**24), heads()[0]
    ledger, chain = document["ledger"], document["network"]["chain_id"]
    made = checkpoint_of(chain, head, ledger["log_size"], b64u_decode(ledger["log_root"]))
    assert (made.height, made.head_hash) == (4999, header_hash(head.header))
    assert (made.app_hash, made.signers) == (head.header.app_hash, head.header.next_validators_hash)
    text, time_s = made.to_text(), head.header.time.ms // 1000 + 1
    document |= {"v": 2, "checkpoint": Note(text, (REGULATOR.cosign(text, time_s),)).to_bytes().decode()}
    trust = WitnessTrust.from_json(
        decode_object(comet()[1])
        | {"v": 2, "witnesses": [REGULATOR.trusted.to_json()], "cosignatures": 1, "checkpoint": None}
    ).to_bytes()
    as_of_ms = head.header.time.ms + 2 * 365 * DAY_MS
    assert verify_bundle(encode(document), trust, as_of_ms).cosigned_by == ("regulator",)
    with pytest.raises(VerificationError, match="checkpoint_required"):
        verify_bundle(comet()[0], comet()[1], as_of_ms)
    document["checkpoint"] = Note(text, (STRANGER.cosign(text, time_s),)).to_bytes().decode()
    with pytest.raises(VerificationError, match="cosignature_unknown"):
        verify_bundle(encode(document), trust, as_of_ms)


def with_ledger(**parts: Any) -> bytes:
    document = decode_object(comet()[0], 2**24)
    document["ledger"] |= parts
    return encode(document)


def code_of(bundle: bytes) -> str:
    with pytest.raises(VerificationError) as found:
        verify_bundle(bundle, comet()[1])
    return found.value.code


def heads() -> tuple[CometHead, CometHead]:
    """The head, and the change before it."""
    ledger = decode_object(comet()[0], 2**24)["ledger"]
    return CometHead.from_json(ledger["head"]), CometHead.from_json(ledger["head_chain"][0])


def test_it_is_accepted_under_its_trust_file_and_named_unanchored_without() -> None:
    bundle, trust = comet()
    report = verify_bundle(bundle, trust)
    assert report.exit_code == EXIT_OK
    assert report.signatures_checked == 6  # three of four validators, twice
    assert report.head_height == 4999  # the header of 5000 carries the state after 4999
    assert "3 of 4 validators with 7560 of 10080" in report.signer
    assert verify_bundle(bundle, None).exit_code == EXIT_UNANCHORED


def test_exactly_two_thirds_are_not_enough() -> None:
    """Three groups of equal power: two of them hold exactly 2/3."""
    three = in_order({member.validator: 2520 for member in MEMBERS[:3]})
    by_key = {member.validator: member for member in MEMBERS}
    head = make_head([by_key[one.key] for one in three[:2]], three)
    with pytest.raises(VerificationError, match="commit_power_insufficient"):
        verify_comet_head(head, "test-ledger")


def test_one_commit_signature_dropped_or_one_too_many() -> None:
    head, _ = heads()
    commit = head.to_json()["commit"]
    dropped = head.to_json() | {"commit": commit | {"signatures": commit["signatures"][:2]}}
    assert code_of(with_ledger(head=dropped)) == "commit_power_insufficient"
    by_key = {member.validator: member for member in (*MEMBERS, EPSILON)}
    all_four = [by_key[one.key] for one in SECOND]
    padded = make_head(all_four, SECOND, height=5000, app_hash=head.header.app_hash, chain_id=head.header.chain_id)
    assert code_of(with_ledger(head=padded.to_json())) == "commit_padded"


def test_a_validator_signs_once_and_in_its_place() -> None:
    """Two of four hold half the power; with one of them counted twice they would hold three quarters."""
    head, _ = heads()
    commit = head.to_json()["commit"]
    one, two, three = commit["signatures"]
    beyond = three | {"validator": len(SECOND)}
    for signatures in ([one, two, two], [one, one, two], [two, one, three], [one, two, beyond]):
        twice = head.to_json() | {"commit": commit | {"signatures": signatures}}
        assert code_of(with_ledger(head=twice)) == "commit_order_invalid"


def test_a_validator_set_holds_each_key_once_in_the_engines_order() -> None:
    """A key that stood twice would sign twice; and a set in another order would be a second encoding of one set."""
    by_key = {member.validator: member for member in MEMBERS}
    members = [by_key[one.key] for one in FIRST]
    repeated = (FIRST[0], FIRST[0], *FIRST[1:])
    for validators, signers in ((repeated, [members[0], members[0], members[1], members[2]]), (FIRST[::-1], members)):
        with pytest.raises(VerificationError, match="validators_order_invalid"):
            check_validator_order(validators)
        head = make_head(signers, validators)
        with pytest.raises(VerificationError, match="validators_order_invalid"):
            verify_comet_head(head, "test-ledger")


def test_a_header_that_names_another_network_under_votes_of_this_one() -> None:
    by_key = {member.validator: member for member in MEMBERS}
    foreign = make_head(first_three(FIRST), FIRST, chain_id="another-ledger")
    votes = tuple(
        one.model_copy(
            update={
                "signature": ed25519.sign(
                    by_key[FIRST[one.validator].key].validator_seed,
                    vote_bytes("test-ledger", foreign.header.height, foreign.commit, one),
                )
            }
        )
        for one in foreign.commit.signatures
    )
    head = foreign.model_copy(update={"commit": foreign.commit.model_copy(update={"signatures": votes})})
    with pytest.raises(VerificationError, match="head_foreign_network"):
        verify_comet_head(head, "test-ledger")


def test_the_change_of_signers_may_not_be_left_out_repeated_or_padded() -> None:
    head, change = heads()
    assert code_of(with_ledger(head_chain=[])) == "head_signers_unknown"
    assert code_of(with_ledger(head_chain=[change.to_json()] * 2)) == "head_chain_order"
    idle = make_head(first_three(FIRST), FIRST, height=4, chain_id=head.header.chain_id)
    assert code_of(with_ledger(head_chain=[idle.to_json(), change.to_json()])) == "head_chain_padded"


def test_validators_of_ones_own_are_refused_even_with_a_chain_of_ones_own() -> None:
    head, _ = heads()
    chain = head.header.chain_id
    mine = in_order({EPSILON.validator: 2520})
    own = make_head([EPSILON], mine, height=5000, app_hash=head.header.app_hash, chain_id=chain)
    assert code_of(with_ledger(head=own.to_json(), head_chain=[])) == "head_signers_unknown"
    leap = make_head([EPSILON], mine, height=5, following=mine, chain_id=chain)
    assert code_of(with_ledger(head=own.to_json(), head_chain=[leap.to_json()])) == "head_signers_unknown"


def test_a_head_of_the_other_engine_is_refused() -> None:
    embedded = as_json()["ledger"]
    assert code_of(with_ledger(head=embedded["head"], head_chain=[])) == "head_kind_mismatch"
    document = as_json()
    head, _ = heads()
    document["ledger"]["head"] = head.to_json()
    with pytest.raises(VerificationError, match="head_kind_mismatch"):
        verify_bundle(encode(document), valid()[1])


def scalars() -> list[JsonPath]:
    document = decode_object(comet()[0], 2**24)
    parts = {"network": document["network"], "ledger": document["ledger"]}
    return [path for path, value in walk(parts) if not isinstance(value, dict | list)]


@pytest.mark.parametrize("path", scalars(), ids=lambda path: ".".join(map(str, path)))
def test_every_member_altered_is_refused(path: JsonPath) -> None:
    document = copy.deepcopy(decode_object(comet()[0], 2**24))
    target: Any = document
    for key in path[:-1]:
        target = target[key]
    value = target[path[-1]]
    if isinstance(value, int):
        target[path[-1]] = value + 1
    elif len(value) in (27, 43, 86):
        data = b64u_decode(value)
        target[path[-1]] = b64u_encode(bytes([data[0] ^ 1]) + data[1:])
    else:
        target[path[-1]] = ("b" if value[0] != "b" else "c") + value[1:]
    with pytest.raises(VerificationError):
        verify_bundle(encode(document), comet()[1])
