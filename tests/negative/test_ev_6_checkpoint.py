"""EV-6: what stands under a checkpoint, and every way in which a checkpoint does not count (B33, CON-7)."""

from __future__ import annotations

import copy
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle_kit import walk
from lianzheng.clock import DAY_MS
from lianzheng.encoding.canonical import encode
from lianzheng.errors import LianzhengError, VerificationError
from lianzheng.evidence.model import WitnessTrust
from lianzheng.ledger.checkpoint import Checkpoint
from lianzheng.ledger.note import Note
from lianzheng.verify import EXIT_OK, EXIT_UNANCHORED, verify_bundle
from witness_kit import B2, OWN, REGULATOR, STRANGER, B, Signer, scene

YEAR = 365 * DAY_MS
SCENE = scene()
TRUST = SCENE.believing(REGULATOR, B)
NOW = SCENE.head_ms + 2 * YEAR


def refused(code: str, bundle: bytes, trust: bytes | None = TRUST, as_of_ms: int | None = NOW) -> None:
    with pytest.raises(VerificationError) as caught:
        verify_bundle(bundle, trust, as_of_ms)
    assert caught.value.code == code


def test_an_old_bundle_is_valid_under_a_checkpoint_and_refused_without() -> None:
    report = verify_bundle(SCENE.bundle, TRUST, NOW)
    assert (report.exit_code, report.cosigned_by) == (EXIT_OK, ("b", "regulator"))
    assert report.signatures_checked == 1 + 3  # one head; the log and two witnesses
    assert "checkpoint   cosigned by b, regulator" in report.lines()
    for trust in (TRUST, SCENE.trust.to_bytes()):
        refused("checkpoint_required", SCENE.plain, trust)


def test_the_year_is_counted_to_the_millisecond_from_the_oldest_record() -> None:
    oldest = min(anchor["entry"]["time_ms"] for anchor in SCENE.as_json()["anchors"])
    assert verify_bundle(SCENE.plain, SCENE.trust.to_bytes(), oldest + YEAR).exit_code == EXIT_OK
    refused("checkpoint_required", SCENE.plain, SCENE.trust.to_bytes(), oldest + YEAR + 1)
    assert verify_bundle(SCENE.plain, SCENE.trust.to_bytes()).exit_code == EXIT_OK  # no date, no age
    assert verify_bundle(SCENE.plain, None, NOW).exit_code == EXIT_UNANCHORED
    assert verify_bundle(SCENE.bundle, None, NOW).exit_code == EXIT_UNANCHORED


def test_cosigners_alone_may_be_believed() -> None:
    trust = SCENE.believing(REGULATOR, B, with_signers=False)
    assert verify_bundle(SCENE.bundle, trust, NOW).exit_code == EXIT_OK
    refused("checkpoint_required", SCENE.plain, trust, None)
    other = scene(seed=b"\x09" * 32)  # another sequencer's ledger of the same name, cosigned by nobody believed
    document = other.as_json()
    document["network"]["genesis_digest"] = SCENE.as_json()["network"]["genesis_digest"]
    document["checkpoint"] = Note(other.text, Note.from_bytes(_note().encode()).signatures).to_bytes().decode()
    refused("cosignature_unknown", encode(document), trust)
    document["checkpoint"] = Note(other.text, Note.from_bytes(_note().encode()).signatures[1:]).to_bytes().decode()
    refused("cosignature_invalid", encode(document), trust)


def test_a_pinned_checkpoint_is_the_only_one() -> None:
    assert verify_bundle(SCENE.bundle, SCENE.believing(REGULATOR, B, checkpoint=_note()), NOW).exit_code == EXIT_OK
    later = scene(more=1)
    pinned = Note(later.text, (later.log_line,)).to_bytes().decode()
    refused("checkpoint_not_pinned", SCENE.bundle, SCENE.believing(REGULATOR, B, checkpoint=pinned))


def test_a_missing_witness() -> None:
    refused("cosignatures_few", SCENE.under(REGULATOR), SCENE.believing(REGULATOR, B, least=2))
    refused("cosignatures_few", SCENE.under(), TRUST)
    refused("witnesses_missing", SCENE.bundle, SCENE.trust.to_bytes())


def test_one_control_group_twice() -> None:
    trust = SCENE.believing(REGULATOR, B, B2, least=2)
    refused("cosignatures_few", SCENE.under(B, B2), trust)
    assert verify_bundle(SCENE.under(B, B2, REGULATOR), trust, NOW).cosigned_by == ("b", "regulator")


def test_the_institutions_own_group_does_not_count() -> None:
    refused("cosignatures_few", SCENE.under(OWN), SCENE.believing(OWN, B))
    sister = replace(B2, group="a")
    refused("cosignatures_few", SCENE.under(OWN, sister), SCENE.believing(OWN, sister))


def test_the_sequencers_own_group_does_not_count() -> None:
    sequencer = Signer("sequencer.example/x", "s", SCENE.log_seed)
    sister = Signer("sister.example/x", "s", b"\x41" * 32)
    refused("cosignatures_few", SCENE.under(sequencer, sister), SCENE.believing(sequencer, sister))


def test_a_cosignature_of_another_note() -> None:
    checkpoint = Checkpoint.from_text(SCENE.text)
    other = replace(checkpoint, height=checkpoint.height + 1).to_text()
    moved = replace(REGULATOR.cosign(other, SCENE.time_s))
    refused("cosignature_invalid", SCENE.with_lines([SCENE.log_line, moved]))
    as_member = replace(B.cosign(SCENE.text, SCENE.time_s), name=REGULATOR.name, key_id=REGULATOR.key.key_id)
    refused("cosignature_invalid", SCENE.with_lines([SCENE.log_line, as_member]))
    early = REGULATOR.cosign(SCENE.text, SCENE.time_s)
    restamped = replace(early, signature=(SCENE.time_s + 1).to_bytes(8, "big") + early.signature[8:])
    refused("cosignature_invalid", SCENE.with_lines([SCENE.log_line, restamped]))


def test_a_stranger_among_the_signatures_and_another_order() -> None:
    refused("cosignature_unknown", SCENE.under(REGULATOR, B, STRANGER))
    log, *rest = Note.from_bytes(_note().encode()).signatures
    refused("cosignature_order", SCENE.with_lines([*rest, log]))
    refused("cosignature_order", SCENE.with_lines([log, *reversed(rest)]))
    refused("checkpoint_note_malformed", SCENE.with_note(Note(SCENE.text, (log, *rest, rest[0])).to_bytes().decode()))


def test_another_networks_checkpoint() -> None:
    other = scene("another-net")
    refused("checkpoint_mismatch", SCENE.under(REGULATOR, B, text=other.text))
    refused("network_foreign", other.bundle)


def test_a_checkpoint_smaller_than_the_anchors_index() -> None:
    """Cosigned rightly, and of this network; but the record came after it."""
    document = SCENE.as_json()
    size = document["anchors"][-1]["log_index"]
    checkpoint = replace(Checkpoint.from_text(SCENE.text), log_size=size)
    refused("checkpoint_mismatch", SCENE.under(REGULATOR, B, text=checkpoint.to_text()))
    document["ledger"]["log_size"] = size
    document["checkpoint"] = (
        Note(checkpoint.to_text(), (REGULATOR.cosign(checkpoint.to_text(), SCENE.time_s),)).to_bytes().decode()
    )
    refused("app_hash_mismatch", encode(document))


def test_any_part_of_the_text_changed_and_cosigned_again() -> None:
    real = Checkpoint.from_text(SCENE.text)
    for change in (
        {"chain_id": "x"}, {"log_size": 9}, {"log_root": bytes(32)}, {"height": 9}, {"head_hash": bytes(32)},
        {"app_hash": bytes(32)}, {"signers": bytes(32)},
    ):  # fmt: skip
        refused("checkpoint_mismatch", SCENE.under(REGULATOR, B, text=replace(real, **change).to_text()))


def test_made_while_the_keys_were_in_use_and_renewed_in_time() -> None:
    head_s = SCENE.head_ms // 1000
    late, early = head_s + YEAR // 1000 + 1, head_s - 301
    for time_s in (late, early, 0, 2**62):
        refused("cosignature_time_invalid", SCENE.under(REGULATOR, time_s=time_s), as_of_ms=SCENE.head_ms + 3 * YEAR)
    refused("cosignature_invalid", SCENE.under(REGULATOR, time_s=2**63))
    edge = SCENE.under(REGULATOR, time_s=head_s + YEAR // 1000)
    assert verify_bundle(edge, TRUST, SCENE.head_ms + 3 * YEAR).exit_code == EXIT_OK
    refused("cosignature_time_invalid", SCENE.bundle, as_of_ms=SCENE.time_s * 1000 - 300_001)
    assert verify_bundle(SCENE.bundle, TRUST, SCENE.time_s * 1000 + 3 * YEAR).exit_code == EXIT_OK
    refused("checkpoint_expired", SCENE.bundle, as_of_ms=SCENE.time_s * 1000 + 3 * YEAR + 1)


def test_trust_files_that_are_none() -> None:
    twice = [REGULATOR.trusted, replace(REGULATOR, group="other").trusted]
    one_key_two_names = [REGULATOR.trusted, Signer("else.example/w", "e", REGULATOR.seed).trusted]
    for witnesses in (twice, one_key_two_names):
        trust = WitnessTrust.from_bytes(TRUST).model_copy(update={"witnesses": tuple(witnesses)}).to_bytes()
        refused("trust_file_malformed", SCENE.bundle, trust)
    text = TRUST.decode()
    for old, new in (
        ('"cosignatures":1', '"cosignatures":0'),
        ('"v":2', '"v":1'),
        ('"v":2', '"v":3'),
        (REGULATOR.key.to_text(), REGULATOR.key.to_text()[:-2]),
        (REGULATOR.key.to_text(), B2.key.to_text() + " "),
        ('"v":2,', ""),
    ):
        assert old in text
        refused("trust_file_malformed", SCENE.bundle, text.replace(old, new).encode())
    without = re.sub(r'"witnesses":\[.*\]', '"witnesses":[]', text)
    refused("trust_file_malformed", SCENE.bundle, without.encode())


def test_no_byte_of_the_bundle_can_be_changed() -> None:
    data = SCENE.bundle
    for place in range(len(data)):
        altered = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(LianzhengError):
            verify_bundle(altered, TRUST, NOW)


@given(st.integers(0, len(SCENE.bundle) - 1), st.integers(1, 255))
def test_no_other_change_of_a_byte_either(place: int, mask: int) -> None:
    data = bytearray(SCENE.bundle)
    data[place] ^= mask
    with pytest.raises(LianzhengError):
        verify_bundle(bytes(data), TRUST, NOW)


def test_no_value_of_the_bundle_can_be_left_out_or_become_null() -> None:
    for path, _ in list(walk(SCENE.as_json()))[1:]:
        for drop in (True, False):
            document = copy.deepcopy(SCENE.as_json())
            target = document
            for key in path[:-1]:
                target = target[key]  # type: ignore[index]
            if drop:
                del target[path[-1]]  # type: ignore[arg-type]
            elif target[path[-1]] is None:  # type: ignore[index]
                continue
            else:
                target[path[-1]] = None  # type: ignore[index]
            with pytest.raises(LianzhengError):
                verify_bundle(encode(document), TRUST, NOW)


def _note() -> str:
    found = SCENE.as_json()["checkpoint"]
    assert isinstance(found, str)
    return found
