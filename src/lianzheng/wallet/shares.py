"""Recovery shares as text files: two of three bring the whole wallet back (ADR 0020).

reserve  = SLIP-0039 over the words of two files of one set
sealed   = AES-256-GCM under the reserve's ``share`` key, over JCS of the wallet's copy without the reserve
set      = first 16 bytes of SHA-256(tag ``wallet-share-set`` ‖ sealed), the same in all three
A file is lines ``name: value`` in one order and form; ``checksum`` is the SHA-256 of everything before its line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from lianzheng.crypto.digest import sha256, sha256_raw
from lianzheng.crypto.sealing import aead_open, aead_seal
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.errors import FormatError, VerificationError
from lianzheng.identity.model import did_of
from lianzheng.ids import chain_of_did, check_did
from lianzheng.limits import WALLET_BYTES_MAX
from lianzheng.wallet.backup import COPY_BYTES_MAX, WalletBackup
from lianzheng.wallet.keys import share_key
from lianzheng.wallet.model import Reserve
from lianzheng.wallet.slip39 import combine, decode_share, encode_share, split

__all__ = ["COUNT", "SHARE_CHARS_MAX", "THRESHOLD", "ShareFile", "make_shares", "open_shares", "reserve_of"]

THRESHOLD = 2
COUNT = 3
SHARE_CHARS_MAX = 2 * WALLET_BYTES_MAX
_TITLE = "lianzheng wallet recovery share, version 1"
_WIDTH = 76
_AAD = b"lianzheng/wallets/1/share"
_FORM = re.compile(
    r"(?P<title>[^\n]*)\nset: (?P<set>[A-Za-z0-9_-]{22})\nshare: (?P<index>[1-9]) of (?P<count>[1-9]), "
    r"any (?P<threshold>[1-9]) recover\ndid: (?P<did>[!-~]{1,120})\nwords: (?P<words>[a-z ]{1,600})\n"
    r"sealed:\n(?P<sealed>(?:[A-Za-z0-9_-]{1,76}\n)+)checksum: (?P<checksum>[A-Za-z0-9_-]{43})\n\Z"
)


@dataclass(frozen=True, slots=True)
class ShareFile:
    """One share: what is public of it, its words, and the sealed wallet that all of a set carry alike."""

    did: str
    set_id: bytes
    index: int
    words: str = field(repr=False)
    sealed: bytes = field(repr=False)

    def to_text(self) -> str:
        """The file."""
        body = b64u_encode(self.sealed)
        lines = [
            _TITLE,
            f"set: {b64u_encode(self.set_id)}",
            f"share: {self.index} of {COUNT}, any {THRESHOLD} recover",
            f"did: {self.did}",
            f"words: {self.words}",
            "sealed:",
            *(body[start : start + _WIDTH] for start in range(0, len(body), _WIDTH)),
        ]
        text = "\n".join(lines) + "\n"
        return text + f"checksum: {_checksum(text)}\n"

    @classmethod
    def parse(cls, text: str) -> ShareFile:
        """The share in a file of :meth:`to_text`, and no other.

        Raises ``FormatError``: ``share_malformed``, ``share_words_invalid``; ``VerificationError`` ``share_damaged``
        for a checksum that does not fit, of the file or of the words.
        """
        found = _FORM.match(text) if len(text) <= SHARE_CHARS_MAX else None
        if found is None or found["title"] != _TITLE:
            raise _malformed()
        if found["checksum"] != _checksum(text[: text.rindex("checksum: ")]):
            raise VerificationError(
                "share_damaged", "A recovery share's checksum does not fit: it was altered, or copied wrongly."
            )
        try:
            did, set_id = check_did(found["did"]), b64u_decode(found["set"])
            sealed = b64u_decode(found["sealed"].replace("\n", ""))
        except FormatError as error:
            raise _malformed() from error
        share = cls(did=did, set_id=set_id, index=int(found["index"]), words=found["words"], sealed=sealed)
        inside = decode_share(share.words)
        # Everything that we write: an exponent of the standard's could ask for minutes of work.
        form = (inside.threshold, inside.groups, inside.group, inside.exponent, inside.extendable, len(inside.value))
        fits = inside.member + 1 == share.index and form == (THRESHOLD, 1, 0, 0, True, 32)
        if not fits or set_id != _set_id(sealed) or share.to_text() != text:
            raise _malformed()
        return share


def make_shares(copy: WalletBackup, reserve: Reserve, did: str) -> tuple[ShareFile, ...]:
    """Three shares of a set of its own: made again, they are others and do not mix with these."""
    plain = copy.model_copy(update={"reserve": None})
    sealed = aead_seal(share_key(reserve.secret, reserve.chain_id), plain.to_bytes(), _AAD)
    set_id = _set_id(sealed)
    return tuple(
        ShareFile(did=did, set_id=set_id, index=part.member + 1, words=encode_share(part), sealed=sealed)
        for part in split(reserve.secret, THRESHOLD, COUNT)
    )


def reserve_of(shares: Sequence[ShareFile]) -> Reserve:
    """The recovery secret from two shares of one set.

    Raises ``VerificationError``: ``shares_of_different_sets``, ``shares_do_not_fit``; ``FormatError``:
    ``shares_too_few``, ``shares_too_many``, ``shares_same``.
    """
    if len({(share.set_id, share.did) for share in shares}) > 1:
        raise VerificationError(
            "shares_of_different_sets",
            "The recovery shares are not of one set.",
            next_step="Take shares that were written together: they name the same set.",
        )
    secret = combine(decode_share(share.words) for share in shares)
    if len(secret) != 32:
        raise _malformed()
    return Reserve(chain_id=chain_of_did(shares[0].did), secret=secret)


def open_shares(shares: Sequence[ShareFile]) -> WalletBackup:
    """The wallet's copy from two shares, its reserve with it.

    Raises as :func:`reserve_of`, ``VerificationError`` ``unseal_failed`` and ``FormatError`` of the copy.
    """
    reserve = reserve_of(shares)
    plain = aead_open(share_key(reserve.secret, reserve.chain_id), shares[0].sealed, _AAD)
    copy = WalletBackup.from_bytes(plain, COPY_BYTES_MAX)
    if did_of(copy.state.operation) != shares[0].did:  # the files say it beside the seal
        raise _malformed()
    return copy.model_copy(update={"reserve": reserve})


def _set_id(sealed: bytes) -> bytes:
    return sha256("wallet-share-set", sealed)[:16]


def _checksum(text: str) -> str:
    return b64u_encode(sha256_raw(text.encode("utf-8")))


def _malformed() -> FormatError:
    return FormatError(
        "share_malformed",
        "This is no recovery share, or one that was changed.",
        next_step="Name a file that `lianzheng wallet shares` wrote.",
    )
