"""Signed notes against published bytes: Go's ``golang.org/x/mod/sumdb/note`` tests and the C2SP specifications.

Sources: note_test.go of golang.org/x/mod (keys PeterNeumann and EnochRoot, the note, its malformed forms);
c2sp.org/tlog-cosignature (the example checkpoint with a cosignature of 2023-03-20).
"""

from __future__ import annotations

import pytest

from lianzheng.crypto import ed25519
from lianzheng.errors import FormatError, VerificationError
from lianzheng.ledger.note import (
    COSIGNATURE,
    LOG_SIGNATURE,
    Note,
    NoteKey,
    NoteSignature,
    b64_decode,
    cosign_note,
    sign_note,
    verify_note,
)

PETER_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SKEY = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH_VKEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
ENOCH = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"

SPEC = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def test_gos_note_is_signed_byte_for_byte() -> None:
    seed = b64_decode(PETER_SKEY)[1:]
    key = NoteKey("PeterNeumann", LOG_SIGNATURE, ed25519.public_key(seed))
    assert key.to_text() == PETER_VKEY
    made = Note(TEXT, (sign_note(TEXT, key, lambda data: ed25519.sign(seed, data)),))
    assert made.to_bytes() == (TEXT + "\n" + PETER).encode()


def test_gos_notes_verify_under_the_known_keys_alone() -> None:
    note = Note.from_bytes((TEXT + "\n" + PETER + ENOCH).encode())
    peter, enoch = NoteKey.from_text(PETER_VKEY), NoteKey.from_text(ENOCH_VKEY)
    assert [key for key, _ in verify_note(note, [peter])] == [peter]
    assert [key for key, _ in verify_note(note, [enoch, peter])] == [peter, enoch]
    for keys in ([], [NoteKey("PeterNeuman", LOG_SIGNATURE, peter.public)]):
        with pytest.raises(VerificationError, match="note_unsigned"):
            verify_note(note, keys)
    with pytest.raises(FormatError, match="note_key_malformed"):
        verify_note(note, [enoch, peter, enoch])


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        (TEXT + "\n").encode(),
        (TEXT + "\n" + PETER[:-1]).encode(),
        ("\x01" + TEXT + "\n" + PETER).encode(),
        b"\xff" + (TEXT + "\n" + PETER).encode(),
        (TEXT + "\n— Bad Name " + PETER.split()[2] + "\n").encode(),
        (TEXT + "\n" + PETER + "Unexpected line.\n").encode(),
        (TEXT + "\n" + PETER * 2).encode(),
        (TEXT + "\n" + "".join(PETER.replace("Neumann", f"Neumann{n}") for n in range(257))).encode(),
    ],
)
def test_gos_malformed_notes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="note_malformed"):
        Note.from_bytes(data)


def test_every_mangling_of_gos_verifier_key_is_refused() -> None:
    for start in range(len(PETER_VKEY)):
        for end in range(start + 1, len(PETER_VKEY) + 1):
            if (start, end) != (0, len(PETER_VKEY)):
                with pytest.raises(FormatError):
                    NoteKey.from_text(PETER_VKEY[start:end])
    for place in range(len(PETER_VKEY)):
        with pytest.raises(FormatError):
            NoteKey.from_text(PETER_VKEY[:place] + chr(ord(PETER_VKEY[place]) + 1) + PETER_VKEY[place + 1 :])
    for bad in (
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",  # a key too long
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  # an unknown algorithm
    ):
        with pytest.raises(FormatError):
            NoteKey.from_text(bad)


def test_the_specifications_checkpoint_is_read_and_written_again() -> None:
    note = Note.from_bytes(SPEC.encode())
    assert note.to_bytes() == SPEC.encode()
    log, witness = note.signatures
    assert (log.name, log.key_id.hex(), len(log.signature)) == ("example.com/behind-the-sofa", "033de0ae", 64)
    assert (witness.name, witness.key_id.hex(), len(witness.signature)) == ("witness.example.com/w1", "8d66cf3f", 72)
    assert witness.time_s == 1_679_315_147  # the specification's example: "time 1679315147"


def test_a_cosignature_is_over_header_time_and_text() -> None:
    """The message of tlog-cosignature, put together here by hand and verified by libsodium directly."""
    seed = bytes(range(1, 33))
    key = NoteKey("witness.example.com/w1", COSIGNATURE, ed25519.public_key(seed))
    text = SPEC.partition("\n\n")[0] + "\n"
    made = cosign_note(text, key, lambda data: ed25519.sign(seed, data), 1_679_315_147)
    assert made.signature[:8].hex() == "00000000641850cb"
    signed = (
        b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )
    ed25519.verify(key.public, signed, made.signature[8:])
    assert verify_note(Note(text, (made,)), [key]) == ((key, made),)
    as_log = NoteKey(key.name, LOG_SIGNATURE, key.public)
    assert as_log.key_id != key.key_id
    with pytest.raises(VerificationError, match="note_signature_invalid"):
        verify_note(Note(text, (NoteSignature(key.name, as_log.key_id, made.signature[8:]),)), [as_log])


OURS = (
    "lianzheng/net-1\n3\nCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgo=\nheight 17\n"
    "head CwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCws=\napp-hash DAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw=\n"
    "signers DQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0=\n\n"
    "— lianzheng/net-1 "
    "RDODq1OtDuYOYV2Je4TJ4raIyP+Q1elsj9IMsj5BsuijSaH0/DOEN9FeB9fiKoCF1ThjQaApqe3IV+UUD2tUTip91wA=\n"
    "— regulator.example/w1 "
    "lFo9WAAAAABqsTuAM81KYncB6atSYYLQ6y6J7pavYnDzG8PgXeGfzjOhh5wxOBamaRDG1GUGTt7cY1TtjDH1WWRycZ+Qlj4qYll+BQ==\n"
)
"""Verified on 2026-11-23 by golang.org/x/mod v0.20.0 (first line) and transparency-dev/formats v0.1.1 (second)."""


def test_the_note_that_gos_libraries_verified_is_made_byte_for_byte() -> None:
    log = NoteKey.from_text("lianzheng/net-1+443383ab+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c")
    witness = NoteKey.from_text("regulator.example/w1+945a3d58+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU")
    text = OURS.partition("\n\n")[0] + "\n"
    made = Note(
        text,
        (
            sign_note(text, log, lambda data: ed25519.sign(b"\x01" * 32, data)),
            cosign_note(text, witness, lambda data: ed25519.sign(b"\x02" * 32, data), 1_790_000_000),
        ),
    )
    assert made.to_bytes() == OURS.encode()
    assert len(verify_note(made, [log, witness])) == 2
