"""Cosigned checkpoints: what this node signs of the ledger, and the notes that it collects from others (EV-6, B33).

A node signs what it has replayed itself, one text a height, never below one that it signed, and only while its log
still holds what it signed before. So two notes that cannot both stand need two dishonest signers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lianzheng.clock import Clock
from lianzheng.encoding.multikey import ED25519_PUB, encode_multikey
from lianzheng.errors import ConflictError, LianzhengError, NotFoundError, RefusedError, UnavailableError
from lianzheng.evidence.model import TrustedWitness, TrustFile, WitnessTrust
from lianzheng.governance.service import MemberDirectory
from lianzheng.identity.model import DidRecord, did_state_key, public_key
from lianzheng.ledger.checkpoint import Checkpoint, cosigner_key, log_key, origin_of
from lianzheng.ledger.context import StateView
from lianzheng.ledger.history import CheckpointStore, KeptCheckpoint, LedgerHistory
from lianzheng.ledger.note import (
    COSIGNATURE,
    Note,
    NoteKey,
    NoteSignature,
    cosign_note,
    parse_signatures,
    sign_note,
    verify_note,
)
from lianzheng.limits import NOTE_BYTES_MAX

__all__ = ["CheckpointDesk", "Collected", "CosignLink", "Cosigner", "members_as_cosigners", "witness_trust"]

_HOUR_MS = 3600 * 1000
_FIRST_MS = 60 * 1000
"""After a start the other nodes may be starting, too."""


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A member (its DID is the name) or a witness."""

    name: str
    group: str
    public: bytes
    orders: bool = False
    """The sequencer: its signature is the log's own, and counts for no group."""
    reachable: bool = True

    def key(self, chain_id: str) -> NoteKey:
        """The key under which it signs notes."""
        if self.orders:
            return log_key(chain_id, encode_multikey(ED25519_PUB, self.public))
        return cosigner_key(self.name, self.public)


@dataclass(frozen=True, slots=True)
class Collected:
    """A note that was collected, and what became of those who did not sign it."""

    kept: KeptCheckpoint
    groups: tuple[str, ...]
    """Control groups other than the sequencer's whose cosignature is on it (CON-7)."""
    failed: dict[str, str]
    """Reason code by name."""


class CosignLink(Protocol):
    """Another node, asked for its signature."""

    async def cosign(self, name: str, note: bytes) -> bytes:
        """Its signature lines. Raises what the transport or that node raises."""


def witness_trust(trust: TrustFile, cosigners: Sequence[Cosigner], least: int = 1) -> WitnessTrust:
    """A trust file that believes these cosigners beside the network's signers; for whoever believes this node."""
    witnesses = [
        TrustedWitness(control_group=one.group, key=cosigner_key(one.name, one.public).to_text()) for one in cosigners
    ]
    return WitnessTrust(
        chain_id=trust.chain_id,
        genesis_digest=trust.genesis_digest,
        signers=trust.signers,
        witnesses=tuple(witnesses),
        cosignatures=least,
        checkpoint=None,
    )


def members_as_cosigners(directory: MemberDirectory, state: StateView, sequencer: str | None) -> tuple[Cosigner, ...]:
    """Every active member whose DID holds a node key, in the order of DIDs."""
    found: list[Cosigner] = []
    for member in directory.active():
        record = state.get(did_state_key(member.did))
        if record is None:
            continue
        try:
            public = public_key(DidRecord.from_json(record), "#node", "authentication")
        except NotFoundError:
            continue
        reachable = member.endpoint is not None
        found.append(Cosigner(member.did, member.control_group, public, member.did == sequencer, reachable))
    return tuple(found)


class CheckpointDesk:
    """One node's part in checkpoints. ``cosigners`` gives everybody who may sign now, this node among them."""

    def __init__(
        self,
        chain_id: str,
        own: str,
        sign: Callable[[bytes], bytes],
        history: LedgerHistory,
        cosigners: Callable[[], Sequence[Cosigner]],
        store: CheckpointStore,
        link: CosignLink,
        clock: Clock,
        every_hours: int,
    ) -> None:
        """``own`` is this node's name among the cosigners; ``every_hours`` 0 collects on command only."""
        self._chain_id = chain_id
        self._own = own
        self._sign = sign
        self._history = history
        self._cosigners = cosigners
        self._store = store
        self._link = link
        self._clock = clock
        self._every_ms = every_hours * _HOUR_MS
        self._begin_ms = clock.boot_ms() + _FIRST_MS
        self._signing = asyncio.Lock()
        self._made_ms: int | None = None

    async def answer(self, body: bytes) -> bytes:
        """This node's signature line for a note that the sequencer or a member signed.

        Raises ``FormatError`` ``note_malformed``, ``checkpoint_malformed``; ``VerificationError`` ``note_unsigned``,
        ``note_signature_invalid``; ``RefusedError`` ``checkpoint_foreign``, ``checkpoint_differs``; and what
        :meth:`_signature` and ``LedgerHistory.checkpoint`` raise.
        """
        note = Note.from_bytes(body)
        asked = Checkpoint.from_text(note.text)
        if asked.chain_id != self._chain_id:
            raise RefusedError("checkpoint_foreign", "The checkpoint is of another network.")
        verify_note(note, [one.key(self._chain_id) for one in self._cosigners()])
        if await self._history.checkpoint(asked.height) != asked:
            raise RefusedError(
                "checkpoint_differs",
                "This node has replayed something else at the checkpoint's height.",
                next_step="Compare the heads of both nodes at that height: one of them was shown another ledger.",
            )
        return (await self._signature(asked)).to_text().encode()

    async def collect(self) -> Collected:
        """A note of the newest head with every signature that could be had, kept durably.

        Raises ``UnavailableError`` ``checkpoint_not_cosigned`` where no control group beside this node's own and the
        sequencer's signed; what ``LedgerHistory.standing`` and :meth:`_signature` raise.
        """
        standing = await self._history.standing()
        drafted = standing.checkpoint(self._chain_id)
        note = Note(drafted.to_text(), (await self._signature(drafted),))
        own = self._self()
        others = [one for one in self._cosigners() if one.name != own.name and one.reachable]
        answers = await asyncio.gather(*(self._ask(one, note) for one in others))
        signed = [own, *(one for one, answer in zip(others, answers, strict=True) if not isinstance(answer, str))]
        lines = [one for one in answers if not isinstance(one, str)]
        note = _log_first(note.with_signatures(lines), self._chain_id)
        ordering = {one.group for one in self._cosigners() if one.orders}
        groups = {one.group for one in signed if not one.orders} - ordering
        failed = {one.name: answer for one, answer in zip(others, answers, strict=True) if isinstance(answer, str)}
        if not groups - {own.group}:
            raise UnavailableError(
                "checkpoint_not_cosigned",
                "No other control group than the sequencer's and this node's signed the checkpoint.",
                next_step="See that the other members' nodes run; name a witness under [[ledger.witness]].",
                detail=", ".join(sorted(set(failed.values()))),
            )
        kept = KeptCheckpoint(drafted.height, note.to_bytes().decode(), standing, self._clock.now_ms())
        await self._store.keep(kept)
        self._made_ms = kept.made_ms
        return Collected(kept, tuple(sorted(groups)), failed)

    async def run_due(self) -> None:
        """Collect if the last note is older than the schedule allows; errors as :meth:`collect`."""
        if self._made_ms is None:
            newest = await self._store.get()
            self._made_ms = 0 if newest is None else newest.made_ms
        waits = self._clock.boot_ms() < self._begin_ms or self._clock.now_ms() < self._made_ms + self._every_ms
        if self._every_ms and not waits:
            await self.collect()

    async def get(self, height: int | None = None) -> KeptCheckpoint:
        """The newest note, or that of a height. Raises ``NotFoundError`` ``checkpoint_unknown``."""
        found = await self._store.get(height)
        if found is None:
            raise NotFoundError(
                "checkpoint_unknown",
                "This node keeps no such checkpoint.",
                next_step="Collect one with `lianzheng network checkpoint`.",
            )
        return found

    async def page(self, before: int | None, limit: int) -> tuple[tuple[int, str, int], ...]:
        """Height, note and time of collection, newest first."""
        return await self._store.page(before, limit)

    async def warnings(self) -> tuple[str, ...]:
        """What people should know: nothing, or that no cosigned checkpoint is young enough."""
        newest = await self._store.get()
        if not self._every_ms:
            return ()
        if newest is not None and self._clock.now_ms() <= newest.made_ms + 2 * self._every_ms:
            return ()
        hours = 2 * self._every_ms // _HOUR_MS
        return (f"This node keeps no checkpoint younger than {hours} h that another control group cosigned (EV-6).",)

    def cosigners(self) -> tuple[Cosigner, ...]:
        """Everybody who may sign now, by name."""
        return tuple(sorted(self._cosigners(), key=lambda one: one.name))

    async def _signature(self, checkpoint: Checkpoint) -> NoteSignature:
        """This node's signature, remembered before it is made.

        Raises ``ConflictError`` ``checkpoint_outdated`` below one that it signed, ``checkpoint_conflict`` for another
        text of one height; ``UnavailableError`` ``checkpoint_inconsistent`` where its log lost what it signed.
        """
        own, text = self._self(), checkpoint.to_text()
        async with self._signing:
            last = await self._store.last_signed()
            if last is not None:
                self._check_growth(Checkpoint.from_text(last), checkpoint)
            if await self._store.remember(checkpoint.height, text) != text:
                raise ConflictError("checkpoint_conflict", "This node signed another checkpoint of this height.")
        key = own.key(self._chain_id)
        if key.kind == COSIGNATURE:
            return cosign_note(text, key, self._sign, self._clock.now_ms() // 1000)
        return sign_note(text, key, self._sign)

    def _check_growth(self, last: Checkpoint, new: Checkpoint) -> None:
        if new.height < last.height:
            raise ConflictError(
                "checkpoint_outdated",
                "This node signed a later checkpoint already.",
                next_step="Ask again with a checkpoint of the newest head.",
            )
        if new.log_size < last.log_size or self._history.log_root(last.log_size) != last.log_root:
            raise UnavailableError(
                "checkpoint_inconsistent",
                "The evidence log of this node does not hold what it signed before.",
                next_step="Stop here: compare the last notes with the other members' before anything is restored.",
            )

    async def _ask(self, one: Cosigner, note: Note) -> NoteSignature | str:
        """Its signature, verified, or the reason code why there is none."""
        try:
            lines = (await self._link.cosign(one.name, note.to_bytes()))[: NOTE_BYTES_MAX + 1]
            answer = Note(note.text, parse_signatures(lines.decode("utf-8", "replace")))
            return verify_note(answer, [one.key(self._chain_id)])[0][1]
        except LianzhengError as error:
            return error.code

    def _self(self) -> Cosigner:
        for one in self._cosigners():
            if one.name == self._own:
                return one
        raise RefusedError("cosigner_unknown", "This node is no active member and no witness.")


def _log_first(note: Note, chain_id: str) -> Note:
    log = tuple(one for one in note.signatures if one.name == origin_of(chain_id))
    return Note(note.text, (*log, *sorted((one for one in note.signatures if one not in log), key=lambda o: o.name)))
