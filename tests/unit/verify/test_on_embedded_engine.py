"""Bundles from the real engine, machine and sender, at the sequencing node and at a following one (EV-4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from evidence_kit import CONTEXT, documents
from ledger_kit import ALPHA, BETA, CHAIN, DirectLink, Party, make_follower, make_genesis, make_sequencer
from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.evidence import SqlEvidenceRepository
from lianzheng.clock import ManualClock
from lianzheng.errors import VerificationError
from lianzheng.evidence.service import EvidenceService
from lianzheng.ledger.ports import LedgerEngine
from lianzheng.ledger.sender import TransactionSender
from lianzheng.verify import verify_bundle


@asynccontextmanager
async def _site(folder: Path, engine: LedgerEngine, party: Party, clock: ManualClock) -> AsyncIterator[EvidenceService]:
    database = Database(sqlite_url(folder / "node.db"))
    await database.open()
    sender = TransactionSender(engine, party.sign, CHAIN, party.did, "#node", clock)
    try:
        yield EvidenceService(
            SqlEvidenceRepository(database), engine, sender, party.sign, clock, make_genesis(), party.did
        )
    finally:
        await database.close()


async def _act(service: EvidenceService, case: str, text: str) -> None:
    await service.record(case, "suitability-test", "suitability-manager", CONTEXT, documents(text))


async def test_ev4_bundles_of_two_members_on_one_ledger(tmp_path: Path) -> None:
    clock = ManualClock()
    for name in ("alpha", "beta"):
        (tmp_path / name).mkdir()
    sequencer = make_sequencer(tmp_path / "alpha", clock)
    await sequencer.start()
    follower = make_follower(tmp_path / "beta", DirectLink(sequencer), clock)
    await follower.start()
    try:
        async with (
            _site(tmp_path / "alpha", sequencer, ALPHA, clock) as alpha,
            _site(tmp_path / "beta", follower, BETA, clock) as beta,
        ):
            for number in range(3):
                await _act(alpha, "case-a", f"a{number}")
                await _act(beta, "case-b", f"b{number}")
                await alpha.flush()
                await beta.flush()
            assert alpha.trust_file() == beta.trust_file()
            for service, case, party in ((alpha, "case-a", ALPHA), (beta, "case-b", BETA)):
                bundle = await service.bundle(case)
                report = verify_bundle(bundle, beta.trust_file())
                assert report.exit_code == 0 and report.institution == party.did and len(report.records) == 3
                assert [record.anchor_height for record in report.records] == sorted(
                    {record.anchor_height for record in report.records}
                )
                assert {placed.state for placed in await service.case(case)} == {"final"}
                with pytest.raises(VerificationError, match="bundle_not_canonical"):
                    verify_bundle(bundle + b"\n", beta.trust_file())
    finally:
        await follower.stop()
        await sequencer.stop()


async def test_ev3_anchors_go_on_after_both_engine_and_database_restart(tmp_path: Path) -> None:
    clock = ManualClock()
    for number in range(3):
        sequencer = make_sequencer(tmp_path, clock)
        await sequencer.start()
        try:
            async with _site(tmp_path, sequencer, ALPHA, clock) as service:
                await _act(service, "case", f"{number}")
                bundle = await service.bundle("case")
                assert len(verify_bundle(bundle, service.trust_file()).records) == number + 1
        finally:
            await sequencer.stop()
