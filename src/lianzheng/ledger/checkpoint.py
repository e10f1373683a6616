"""The checkpoint of a network: what the evidence log and the head were at one height (B33, C2SP tlog-checkpoint).

lianzheng/<chain id>             origin
<log size>                       decimal
<log root>                       base64, RFC 9162 over the entries of the evidence log
height <height>                  of the block after which this is so
head <head hash>                 B31; under CometBFT the hash of the header that carries the application hash
app-hash <application hash>      B29
signers <signer-set digest>      who signs the head after this one

signer-set digest = SHA-256(tag ``signer-set`` ‖ JCS([multikey]))    under CometBFT: the header's next_validators_hash
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lianzheng.crypto.digest import sha256
from lianzheng.encoding.canonical import encode
from lianzheng.encoding.multikey import ED25519_PUB, decode_multikey
from lianzheng.errors import FormatError
from lianzheng.ledger.block import SignedHead, head_hash
from lianzheng.ledger.cometbft import CometHead
from lianzheng.ledger.cometbft.encoding import header_hash
from lianzheng.ledger.note import COSIGNATURE, LOG_SIGNATURE, NoteKey, b64_decode, b64_encode
from lianzheng.limits import INT_MAX

__all__ = ["Checkpoint", "checkpoint_of", "cosigner_key", "log_key", "origin_of", "signers_digest"]

_ORIGIN = "lianzheng/"
_CHAIN_ID = re.compile(r"[a-z0-9-]{1,32}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The text of a checkpoint note, typed; one value has one text."""

    chain_id: str
    log_size: int
    log_root: bytes
    height: int
    head_hash: bytes
    app_hash: bytes
    signers: bytes

    def to_text(self) -> str:
        """The note's text, with its last newline."""
        return (
            f"{origin_of(self.chain_id)}\n{self.log_size}\n{b64_encode(self.log_root)}\n"
            f"height {self.height}\nhead {b64_encode(self.head_hash)}\n"
            f"app-hash {b64_encode(self.app_hash)}\nsigners {b64_encode(self.signers)}\n"
        )

    @classmethod
    def from_text(cls, text: str) -> Checkpoint:
        """Strict inverse of :meth:`to_text`. Raises ``FormatError`` ``checkpoint_malformed``."""
        lines = text.split("\n")
        if len(lines) != 8 or lines[7] or not lines[0].startswith(_ORIGIN):
            raise _malformed()
        chain_id = lines[0].removeprefix(_ORIGIN)
        if not _CHAIN_ID.fullmatch(chain_id):
            raise _malformed()
        return cls(
            chain_id=chain_id,
            log_size=_number(lines[1]),
            log_root=_digest(lines[2]),
            height=_number(_after(lines[3], "height ")),
            head_hash=_digest(_after(lines[4], "head ")),
            app_hash=_digest(_after(lines[5], "app-hash ")),
            signers=_digest(_after(lines[6], "signers ")),
        )


def checkpoint_of(chain_id: str, head: SignedHead | CometHead, log_size: int, log_root: bytes) -> Checkpoint:
    """The checkpoint under ``head``, whose application hash is over a log of this size and root."""
    if isinstance(head, CometHead):
        header = head.header
        digest, signers = header_hash(header), header.next_validators_hash
        return Checkpoint(chain_id, log_size, log_root, header.height - 1, digest, header.app_hash, signers)
    plain = head.head
    digest, signers = head_hash(plain), signers_digest(plain.next_signer)
    return Checkpoint(chain_id, log_size, log_root, plain.height, digest, plain.app_hash, signers)


def origin_of(chain_id: str) -> str:
    """First line of the text, and name of the log's own key."""
    return _ORIGIN + chain_id


def log_key(chain_id: str, multikey: str) -> NoteKey:
    """The sequencer's key as that of the log."""
    return NoteKey(origin_of(chain_id), LOG_SIGNATURE, decode_multikey(multikey, ED25519_PUB))


def cosigner_key(name: str, public: bytes) -> NoteKey:
    """The key of a member (its DID is the name) or of a witness."""
    return NoteKey(name, COSIGNATURE, public)


def signers_digest(next_signer: str) -> bytes:
    """Signer-set digest of the embedded engine."""
    return sha256("signer-set", encode([next_signer]))


def _after(line: str, label: str) -> str:
    if not line.startswith(label):
        raise _malformed()
    return line.removeprefix(label)


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) > INT_MAX:
        raise _malformed()
    return int(text)


def _digest(text: str) -> bytes:
    try:
        data = b64_decode(text)
    except FormatError as error:
        raise _malformed() from error
    if len(data) != 32:
        raise _malformed()
    return data


def _malformed() -> FormatError:
    return FormatError("checkpoint_malformed", "The text of a note is no checkpoint of this form (B33).")
