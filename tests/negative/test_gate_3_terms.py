"""GATE-3: version, provider, purpose, function, views and dates of the terms, against task and the dataset's policy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gate_kit import BETA, DATASET, EXPERIENCE, GAMMA, MANY, START_MS, VIEWS, WEALTH, WORDS, GateNet
from ledger_kit import make_genesis
from lianzheng.clock import DAY_MS, day_of, end_of_day_ms, start_of_day_ms
from lianzheng.compute.datasets.model import DatasetWithdraw
from lianzheng.consent.token import default_validity, last_day

FIRST, LAST = default_validity(0, START_MS)


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[GateNet]:
    made = await GateNet(tmp_path).open()
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("token_chain_wrong", {"chain_id": "test-other"}),
        ("token_provider_wrong", {"provider": GAMMA.did}),
        ("token_purpose_unknown", {"purpose": "marketing"}),
        ("token_function_unknown", {"function": "joint-statistics"}),
        ("token_function_unknown", {"function": "unheard-of"}),
        ("token_view_forbidden", {"purpose": "suitability-matching", "views": (EXPERIENCE, WEALTH)}),
        ("token_view_not_in_terms", {"views": (EXPERIENCE, MANY)}),
        ("token_validity_invalid", {"not_before": "2026-12-01", "not_after": "2026-11-30"}),
        ("token_validity_invalid", {"not_before": "2025-11-01", "not_after": "2026-11-01"}),
        ("token_outlives_key", {"not_after": day_of(end_of_day_ms(LAST) + 1)}),
        ("token_not_yet_valid", {"not_before": day_of(START_MS + DAY_MS)}),
        ("token_expired", {"not_before": day_of(START_MS - 2 * DAY_MS), "not_after": day_of(START_MS - DAY_MS)}),
        ("purpose_mismatch", {"purpose": WORDS[1]}),
        ("function_mismatch", {"function": "intersection"}),
    ],
)
async def test_terms_that_do_not_cover_the_question(net: GateNet, code: str, changes: dict[str, Any]) -> None:
    """Refused before the ledger's record is looked at: most of these could not even be granted."""
    await net.deny(code, net.issue(**changes))


async def test_a_version_that_was_retired(tmp_path: Path) -> None:
    net = await GateNet(tmp_path, make_genesis(parameters={"token_version_min": 2})).open()
    await net.deny("token_version_retired", await net.granted())
    await net.close()


async def test_the_last_millisecond_of_not_after_counts_and_no_more(net: GateNet) -> None:
    day = day_of(START_MS + 3 * DAY_MS)
    issued = await net.granted(not_after=day)
    net.clock.advance(end_of_day_ms(day) - net.clock.now_ms())
    await net.ask(issued)
    net.clock.advance(1)
    await net.deny("token_expired", issued)


async def test_expired_in_block_time_though_this_nodes_clock_stands_behind(net: GateNet) -> None:
    """A quiet chain's time stands still and a clock may be wrong: the later of the two decides."""
    day = day_of(START_MS + 3 * DAY_MS)
    issued = await net.granted(not_after=day)
    ahead = end_of_day_ms(day) + 1 - net.clock.now_ms()
    net.clock.advance(ahead)
    await net.propose()
    net.clock.advance(-ahead)
    await net.deny("token_expired", issued)


async def test_not_before_is_by_this_nodes_clock(net: GateNet) -> None:
    day = day_of(START_MS + DAY_MS)
    issued = await net.granted(not_before=day)
    net.clock.advance(start_of_day_ms(day) - net.clock.now_ms() - 1)
    await net.deny("token_not_yet_valid", issued)
    net.clock.advance(1)
    await net.ask(issued)


async def test_a_withdrawn_dataset(net: GateNet) -> None:
    issued = await net.granted()
    await net.sender(BETA).send("dataset.withdraw", DatasetWithdraw(dataset=DATASET))
    await net.deny("dataset_withdrawn", issued)


async def test_a_view_that_the_policy_no_longer_offers(net: GateNet) -> None:
    issued = await net.granted()
    await net.loading.publish(net.offer(views=[view for view in VIEWS if view != WEALTH]))
    await net.deny("view_not_offered", issued)
    await net.ask(issued, (EXPERIENCE,))


async def test_a_function_that_the_policy_no_longer_offers(net: GateNet) -> None:
    issued = await net.granted()
    await net.loading.publish(net.offer(functions=["intersection"]))
    await net.deny("view_not_offered", issued)


async def test_a_purpose_that_the_policy_no_longer_allows(net: GateNet) -> None:
    issued = await net.granted()
    await net.loading.publish(net.offer(purposes=[WORDS[1]]))
    await net.deny("purpose_not_allowed", issued)


def test_the_longest_terms_of_the_period_are_the_default() -> None:
    assert last_day(0, START_MS) == LAST
