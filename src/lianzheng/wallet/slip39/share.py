"""One share as words: every word 10 bits, in this order (SLIP-0039, "Format of the share mnemonic").

id 15 · extendable 1 · iteration exponent 4 · group index 4 · group threshold − 1 4 · group count − 1 4
· member index 4 · member threshold − 1 4 · zero padding and value · RS1024 checksum 30
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lianzheng.errors import FormatError, VerificationError
from lianzheng.wallet.slip39.words import NUMBERS, WORDS

__all__ = ["VALUE_BYTES_MIN", "Share", "decode_share", "encode_share"]

VALUE_BYTES_MIN = 16
_WORD_BITS = 10
_HEAD_WORDS = 4
_CHECK_WORDS = 3
_WORDS_MIN = _HEAD_WORDS + -(-VALUE_BYTES_MIN * 8 // _WORD_BITS) + _CHECK_WORDS
_WORDS_MAX = 64
_GENERATOR = (
    0xE0E040, 0x1C1C080, 0x3838100, 0x7070200, 0xE0E0009, 0x1C0C2412, 0x38086C24, 0x3090FC48, 0x21B1F890, 0x3F3F120,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Share:
    """A member's part of one group's part. Indexes count from 0, thresholds and counts are as spoken."""

    identifier: int
    extendable: bool
    exponent: int
    group: int
    group_threshold: int
    groups: int
    member: int
    threshold: int
    value: bytes = field(repr=False)

    @property
    def common(self) -> tuple[int, bool, int, int, int, int]:
        """What all shares of one set have alike."""
        return (
            self.identifier, self.extendable, self.exponent, self.group_threshold, self.groups, len(self.value),
        )  # fmt: skip


def encode_share(share: Share) -> str:
    """Its words, with one space between two."""
    head = share.identifier << 1 | share.extendable
    for number in (
        share.exponent, share.group, share.group_threshold - 1, share.groups - 1, share.member, share.threshold - 1,
    ):  # fmt: skip
        head = head << 4 | number
    # 15 + 1 + 6 * 4 = 40 bits: four words.
    numbers = _words_of(head, _HEAD_WORDS)
    numbers += _words_of(int.from_bytes(share.value, "big"), -(-len(share.value) * 8 // _WORD_BITS))
    check = _polymod((*_custom(share.extendable), *numbers, 0, 0, 0)) ^ 1
    return " ".join(WORDS[number] for number in (*numbers, *_words_of(check, _CHECK_WORDS)))


def decode_share(text: str) -> Share:
    """The share that the words stand for; letters' case and the spaces between words do not matter.

    Raises ``FormatError``: ``share_words_invalid`` (an unknown word, a wrong number of them), ``share_malformed``
    (padding that is not zero, a group threshold above the groups); ``VerificationError`` ``share_damaged``.
    """
    words = text.lower().split()
    if not _WORDS_MIN <= len(words) <= _WORDS_MAX or any(word not in NUMBERS for word in words):
        raise FormatError(
            "share_words_invalid",
            "A recovery share has a word that is not in the list, or too few or too many.",
            next_step="Compare the words with the paper; each stands in the list of SLIP-0039.",
        )
    numbers = [NUMBERS[word] for word in words]
    extendable = bool(numbers[1] >> 4 & 1)
    if _polymod((*_custom(extendable), *numbers)) != 1:
        raise VerificationError(
            "share_damaged", "A recovery share's checksum does not fit: it was altered, or copied wrongly."
        )
    value_words = len(words) - _HEAD_WORDS - _CHECK_WORDS
    padding = value_words * _WORD_BITS % 16  # a value is a whole number of 16-bit units
    value = _number_of(numbers[_HEAD_WORDS:-_CHECK_WORDS])
    size = (value_words * _WORD_BITS - padding) // 8
    if padding > 8 or value >> (size * 8):
        raise FormatError(
            "share_malformed", "A recovery share's padding is not zero, or its length is none of a share."
        )
    head = _number_of(numbers[:_HEAD_WORDS])
    exponent, group, group_threshold, groups, member, threshold = ((head >> shift) & 15 for shift in range(20, -1, -4))
    if group_threshold > groups:
        raise FormatError("share_malformed", "A recovery share asks for more groups than there are.")
    return Share(
        identifier=head >> 25,
        extendable=extendable,
        exponent=exponent,
        group=group,
        group_threshold=group_threshold + 1,
        groups=groups + 1,
        member=member,
        threshold=threshold + 1,
        value=value.to_bytes(size, "big"),
    )


def _custom(extendable: bool) -> bytes:
    return b"shamir_extendable" if extendable else b"shamir"


def _polymod(values: Sequence[int]) -> int:
    """RS1024: any error in at most three words is found."""
    check = 1
    for value in values:
        top = check >> 20
        check = (check & 0xFFFFF) << _WORD_BITS ^ value
        for place, generator in enumerate(_GENERATOR):
            check ^= generator if top >> place & 1 else 0
    return check


def _words_of(number: int, count: int) -> list[int]:
    return [number >> (_WORD_BITS * place) & 1023 for place in range(count - 1, -1, -1)]


def _number_of(words: Sequence[int]) -> int:
    number = 0
    for word in words:
        number = number << _WORD_BITS | word
    return number
