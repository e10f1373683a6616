"""One valid bundle under a cosigned checkpoint, and trust files that believe its witnesses."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from evidence_kit import MEMBER, NETWORK, OTHER, LocalLedger, Site
from lianzheng.clock import ManualClock
from lianzheng.crypto import ed25519
from lianzheng.encoding.canonical import decode_object, encode
from lianzheng.encoding.multikey import ED25519_PUB, encode_multikey
from lianzheng.evidence.model import TrustedWitness, TrustFile, WitnessTrust
from lianzheng.ledger.checkpoint import Checkpoint, cosigner_key, log_key
from lianzheng.ledger.history import KeptCheckpoint
from lianzheng.ledger.note import Note, NoteKey, NoteSignature, cosign_note, sign_note
from lianzheng.limits import BUNDLE_BYTES_MAX


@dataclass(frozen=True)
class Signer:
    """A witness with its control group."""

    name: str
    group: str
    seed: bytes

    @property
    def key(self) -> NoteKey:
        return cosigner_key(self.name, ed25519.public_key(self.seed))

    @property
    def trusted(self) -> TrustedWitness:
        return TrustedWitness(control_group=self.group, key=self.key.to_text())

    def cosign(self, text: str, time_s: int) -> NoteSignature:
        return cosign_note(text, self.key, lambda data: ed25519.sign(self.seed, data), time_s)


REGULATOR = Signer("regulator.example/w1", "regulator", b"\x31" * 32)
B = Signer(OTHER, "b", b"\x32" * 32)
B2 = Signer("b.example/second", "b", b"\x33" * 32)
OWN = Signer(MEMBER, "a", b"\x34" * 32)
"""The institution of the bundle, cosigning its own."""
STRANGER = Signer("stranger.example/w", "stranger", b"\x35" * 32)


@dataclass(frozen=True)
class Scene:
    """A bundle under a checkpoint with the log's signature and those of regulator and b."""

    bundle: bytes
    plain: bytes
    """The same case's bundle without a checkpoint, of a later head."""
    trust: TrustFile
    text: str
    log_line: NoteSignature
    head_ms: int
    log_seed: bytes

    @property
    def time_s(self) -> int:
        return self.head_ms // 1000 + 60

    def believing(
        self, *signers: Signer, least: int = 1, with_signers: bool = True, checkpoint: str | None = None
    ) -> bytes:
        """A trust file that names these witnesses."""
        return WitnessTrust(
            chain_id=self.trust.chain_id,
            genesis_digest=self.trust.genesis_digest,
            signers=self.trust.signers if with_signers else None,
            witnesses=tuple(one.trusted for one in signers),
            cosignatures=least,
            checkpoint=checkpoint,
        ).to_bytes()

    def under(self, *signers: Signer, time_s: int | None = None, text: str | None = None, log: bool = True) -> bytes:
        """The bundle with a note signed by these."""
        text = self.text if text is None else text
        key = NoteKey(self.log_line.name, 1, ed25519.public_key(self.log_seed))
        first = (sign_note(text, key, lambda data: ed25519.sign(self.log_seed, data)),) if log else ()
        made = [one.cosign(text, self.time_s if time_s is None else time_s) for one in signers]
        return self.with_note(Note(text, (*first, *sorted(made, key=lambda one: one.name))).to_bytes().decode())

    def with_note(self, note: str) -> bytes:
        """The bundle with another note."""
        document = self.as_json()
        document["checkpoint"] = note
        return encode(document)

    def with_lines(self, lines: Sequence[NoteSignature]) -> bytes:
        """The bundle with these signature lines."""
        return self.with_note(Note(self.text, tuple(lines)).to_bytes().decode())

    def as_json(self) -> dict[str, Any]:
        """A fresh copy of the bundle as JSON."""
        return decode_object(self.bundle, BUNDLE_BYTES_MAX)


@cache
def scene(network: str = NETWORK, seed: bytes = b"\x07" * 32, more: int = 0) -> Scene:
    """A case of two records in two batches; ``more`` anchors of other cases before the checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_play(Path(folder), LocalLedger(ManualClock(), network, seed), more))


async def _play(folder: Path, ledger: LocalLedger, more: int) -> Scene:
    async with Site(folder, ledger) as site:
        await site.record("case-1", "suitability-test", "question", "answers")
        await site.service.flush()
        ledger.clock.advance(1000)
        await site.record("case-1", "risk-confirmation", "warning")
        await site.service.flush()
        for number in range(more):
            await site.record(f"more-{number}")
            await site.service.flush()
        standing = await ledger.standing()
        text = standing.checkpoint(ledger.genesis.chain_id).to_text()
        head_ms = ledger.head.head.time_ms
        key = log_key(ledger.genesis.chain_id, encode_multikey(ED25519_PUB, ed25519.public_key(ledger.seed)))
        log_line = sign_note(text, key, lambda data: ed25519.sign(ledger.seed, data))
        time_s = head_ms // 1000 + 60
        note = Note(
            text, (log_line, *sorted((one.cosign(text, time_s) for one in (REGULATOR, B)), key=lambda o: o.name))
        )
        height = Checkpoint.from_text(text).height
        kept = KeptCheckpoint(height, note.to_bytes().decode(), standing, head_ms + 60_000)
        await site.record("later")
        await site.service.flush()
        bundle, plain = await site.service.bundle("case-1", kept), await site.service.bundle("case-1")
        return Scene(bundle, plain, site.service.network(), text, log_line, head_ms, ledger.seed)
