"""Checkpoints and their notes: one text a value, and nothing altered is taken (B33)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzheng.crypto import ed25519
from lianzheng.errors import FormatError, LianzhengError
from lianzheng.ledger.checkpoint import Checkpoint, cosigner_key, origin_of
from lianzheng.ledger.note import LOG_SIGNATURE, Note, NoteKey, cosign_note, sign_note, verify_note

LOG_SEED, WITNESS_SEED = b"\x01" * 32, b"\x02" * 32
LOG = NoteKey(origin_of("net-1"), LOG_SIGNATURE, ed25519.public_key(LOG_SEED))
WITNESS = cosigner_key("regulator.example/w1", ed25519.public_key(WITNESS_SEED))
DIGEST = st.binary(min_size=32, max_size=32)
NUMBER = st.integers(0, 2**53 - 1)
CHECKPOINTS = st.builds(
    Checkpoint, st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True), NUMBER, DIGEST, NUMBER, DIGEST, DIGEST, DIGEST
)
ONE = Checkpoint("net-1", 3, b"\x0a" * 32, 17, b"\x0b" * 32, b"\x0c" * 32, b"\x0d" * 32)


def signed(text: str = ONE.to_text()) -> Note:
    return Note(
        text,
        (
            sign_note(text, LOG, lambda data: ed25519.sign(LOG_SEED, data)),
            cosign_note(text, WITNESS, lambda data: ed25519.sign(WITNESS_SEED, data), 1_790_000_000),
        ),
    )


@given(CHECKPOINTS)
def test_text_and_value_are_one(value: Checkpoint) -> None:
    assert Checkpoint.from_text(value.to_text()) == value
    note = signed(value.to_text())
    assert Note.from_bytes(note.to_bytes()) == note
    assert len(verify_note(note, [LOG, WITNESS])) == 2


def test_the_text_is_as_the_layout_says() -> None:
    assert ONE.to_text() == (
        "lianzheng/net-1\n3\nCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgo=\nheight 17\n"
        "head CwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCws=\napp-hash DAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw=\n"
        "signers DQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0=\n"
    )


@given(st.text(max_size=300) | st.lists(st.sampled_from(ONE.to_text().split("\n")), max_size=9).map("\n".join))
def test_no_other_text_is_a_checkpoint(text: str) -> None:
    with contextlib.suppress(FormatError):
        assert Checkpoint.from_text(text).to_text() == text


@pytest.mark.parametrize("number", ["03", "+3", "-3", "3 ", "3.0", "", "٣", "9007199254740992"])
def test_a_number_has_one_form(number: str) -> None:
    with pytest.raises(FormatError, match="checkpoint_malformed"):
        Checkpoint.from_text(ONE.to_text().replace("\n3\n", f"\n{number}\n"))
    with pytest.raises(FormatError, match="checkpoint_malformed"):
        Checkpoint.from_text(ONE.to_text().replace("height 17", f"height {number}"))


def test_no_byte_can_be_changed_left_out_or_added() -> None:
    """Changed, it is no note, no checkpoint, does not verify, or lacks a signature that it had."""
    data = signed().to_bytes()
    for place in range(len(data)):
        for bit in range(8):
            _refused(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
        _refused(data[:place] + data[place + 1 :])
        for extra in b"\n A=":
            if data[place] != extra:
                _refused(data[:place] + bytes([extra]) + data[place:])


def _refused(data: bytes) -> None:
    try:
        note = Note.from_bytes(data)
        Checkpoint.from_text(note.text)
        found = verify_note(note, [LOG, WITNESS])
    except LianzhengError:
        return
    assert len(found) < len(note.signatures)


@given(st.binary(max_size=400))
def test_any_bytes_end_in_a_note_or_a_refusal(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        assert Note.from_bytes(data).to_bytes() == data
