"""The transcript: unambiguous, bound to protocol and chain, unchanged by forks (CON-5)."""

from __future__ import annotations

import pytest

from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.errors import FormatError
from lianzheng.zk.transcript import Absorbable, Transcript


def challenge(*calls: tuple[Absorbable, ...], protocol: str = "test", chain: str = "chain") -> int:
    transcript = Transcript(protocol, chain)
    for label, *parts in calls:
        transcript.absorb(str(label), *parts)
    return transcript.challenge()


def test_no_two_histories_give_one_challenge() -> None:
    histories: list[list[tuple[Absorbable, ...]]] = [
        [],
        [("a",)],
        [("a", b"")],
        [("a", b"", b"")],
        [("a",), ("a",)],
        [("a", b"bc")],
        [("a", b"b", b"c")],
        [("a", b"b"), ("a", b"c")],
        [("ab", b"c")],
        [("b", b"bc")],
        [("a", 1)],
        [("a", 256)],
        [("a", G1.generator())],
        [("a", -G1.generator())],
    ]
    values = {challenge(*history) for history in histories}
    values |= {challenge(protocol="other"), challenge(chain="other")}
    assert len(values) == len(histories) + 2


def test_a_point_is_absorbed_as_its_compressed_bytes() -> None:
    assert challenge(("a", G1.generator())) == challenge(("a", G1.generator().to_bytes()))


def test_a_challenge_is_absorbed() -> None:
    transcript = Transcript("test", "chain")
    assert transcript.challenge() != transcript.challenge()


def test_a_fork_is_independent() -> None:
    transcript = Transcript("test", "chain")
    transcript.absorb("a", 1)
    fork = transcript.fork()
    fork.absorb("b", 2)
    assert fork.state() != transcript.state()
    assert transcript.challenge() == challenge(("a", 1))
    assert fork.challenge() == challenge(("a", 1), ("b", 2))


@pytest.mark.parametrize("label", ["", "challenge"])
def test_unusable_labels_are_refused(label: str) -> None:
    with pytest.raises(FormatError) as caught:
        Transcript("test", "chain").absorb(label, 1)
    assert caught.value.code == "label_invalid"


@pytest.mark.parametrize("protocol", ["", "Upper", "a_b", "a" * 65, "-a"])
def test_unusable_protocol_names_are_refused(protocol: str) -> None:
    with pytest.raises(FormatError) as caught:
        Transcript(protocol, "chain")
    assert caught.value.code == "label_invalid"


@pytest.mark.parametrize("number", [-1, 2**64])
def test_scalars_do_not_pass_as_integers(number: int) -> None:
    with pytest.raises(FormatError) as caught:
        Transcript("test", "chain").absorb("a", number)
    assert caught.value.code == "integer_range"
