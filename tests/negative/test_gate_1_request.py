"""GATE-1: an active member asks in its own name, now, once, and not too often; each defect has its own code."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nacl.bindings import (
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
)

from gate_kit import ALPHA, DELTA, EXPERIENCE, GAMMA, WEALTH, GateNet
from lianzheng.compute.gate.model import request_hash, request_signing_bytes
from lianzheng.crypto import ed25519
from lianzheng.governance.model import member_key
from lianzheng.limits import REQUEST_SKEW_MS


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[GateNet]:
    made = await GateNet(tmp_path).open()
    yield made
    await made.close()


async def test_a_suspended_member(net: GateNet) -> None:
    issued = await net.granted()
    net.ledger.put(member_key(ALPHA.did), phase="suspended")
    await net.deny("peer_not_active", issued)


async def test_a_certificate_of_nobody(net: GateNet) -> None:
    issued = await net.granted()
    stranger = "did:lz:test-ledger:z" + "2" * 44
    await net.refused("peer_not_active", net.request(issued), issued.token, stranger)


async def test_a_request_in_another_members_name(net: GateNet) -> None:
    issued = await net.granted()
    await net.refused("requester_mismatch", net.request(issued), issued.token, DELTA.did)


async def test_another_network(net: GateNet) -> None:
    await net.deny("chain_id_wrong", await net.granted(), chain_id="test-other")


async def test_a_request_for_another_provider(net: GateNet) -> None:
    await net.deny("provider_mismatch", await net.granted(), provider=GAMMA.did)


@pytest.mark.parametrize("skew", [REQUEST_SKEW_MS + 1, -REQUEST_SKEW_MS - 1])
async def test_a_time_more_than_five_minutes_off(net: GateNet, skew: int) -> None:
    await net.deny("request_time_skew", await net.granted(), time_ms=net.clock.now_ms() + skew)


@pytest.mark.parametrize("skew", [REQUEST_SKEW_MS, -REQUEST_SKEW_MS])
async def test_five_minutes_off_pass(net: GateNet, skew: int) -> None:
    await net.ask(await net.granted(), time_ms=net.clock.now_ms() + skew)


async def test_a_signature_by_another_key(net: GateNet) -> None:
    issued = await net.granted()
    forged = net.request(issued, by=DELTA, requester=ALPHA.did)
    await net.refused("request_signature_invalid", forged, issued.token)


async def test_a_signature_over_other_words(net: GateNet) -> None:
    issued = await net.granted()
    request = net.request(issued)
    moved = request.model_copy(update={"views": net.request(issued, (EXPERIENCE,)).views})
    await net.refused("request_signature_invalid", moved, issued.token)


async def test_a_key_that_the_requester_does_not_have(net: GateNet) -> None:
    await net.deny("request_signature_invalid", await net.granted(), key_id="#other")


async def test_a_member_that_the_consent_does_not_name(net: GateNet) -> None:
    """A sister company with a contract of its own and the token of ALPHA's customer."""
    issued = await net.granted()
    task = await net.propose(DELTA)
    await net.refused("consent_requester_mismatch", net.request(issued, by=DELTA, task=task), issued.token, DELTA.did)


async def test_terms_with_an_agent(net: GateNet) -> None:
    await net.deny("consent_agent_unproven", await net.granted(agent=DELTA.did))


async def test_more_questions_than_the_rate_allows(tmp_path: Path) -> None:
    net = await GateNet(tmp_path, per_minute=2).open()
    issued = await net.granted()
    await net.ask(issued)
    await net.ask(issued)
    await net.deny("rate_limited", issued)
    net.clock.advance(30_000)
    await net.ask(issued)
    await net.close()


async def test_a_nonce_with_other_words(net: GateNet) -> None:
    issued = await net.granted()
    nonce = os.urandom(32)
    await net.ask(issued, (WEALTH,), nonce=nonce)
    await net.deny("nonce_reused", issued, (EXPERIENCE,), nonce=nonce)


async def test_a_nonce_of_a_refused_request_with_other_words(net: GateNet) -> None:
    issued, nonce = await net.granted(), os.urandom(32)
    await net.deny("task_unknown", issued, nonce=nonce, task=bytes(32))
    await net.deny("nonce_reused", issued, nonce=nonce)


async def test_the_same_words_under_another_valid_signature(net: GateNet) -> None:
    """Ed25519 lets a signer make many signatures of one message; only identical bytes are a repeat."""
    issued = await net.granted()
    request = net.request(issued)
    twin = request.model_copy(update={"signature": _other_signature(request_signing_bytes(request))})
    assert request_hash(twin) == request_hash(request)
    await net.send(request, issued.token)
    await net.refused("nonce_reused", twin, issued.token)


async def test_the_same_words_under_another_signature_after_a_refusal(net: GateNet) -> None:
    """Nothing is stored of a refused request, so that its nonce alone must tell the twin from a repeat."""
    issued = await net.granted()
    request = net.request(issued, task=bytes(32))
    await net.refused("task_unknown", request, issued.token)
    twin = request.model_copy(update={"signature": _other_signature(request_signing_bytes(request))})
    await net.refused("nonce_reused", twin, issued.token)
    await net.refused("task_unknown", request, issued.token)


async def test_a_nonce_is_a_members_own(net: GateNet) -> None:
    issued, nonce = await net.granted(), os.urandom(32)
    theirs = await net.granted(poster=DELTA, requester=DELTA.did)
    await net.ask(issued, nonce=nonce)
    task = await net.propose(DELTA)
    await net.send(net.request(theirs, by=DELTA, nonce=nonce, task=task), theirs.token, DELTA.did)


def _other_signature(message: bytes) -> bytes:
    """A signature of ALPHA with a random nonce in the place of the derived one."""
    half = bytearray(hashlib.sha512(ALPHA.seed).digest()[:32])
    half[0] &= 248
    half[31] = half[31] & 127 | 64
    secret = crypto_core_ed25519_scalar_reduce(bytes(half) + bytes(32))
    nonce = crypto_core_ed25519_scalar_reduce(os.urandom(64))
    commitment = crypto_scalarmult_ed25519_base_noclamp(nonce)
    digest = hashlib.sha512(commitment + ed25519.public_key(ALPHA.seed) + message).digest()
    product = crypto_core_ed25519_scalar_mul(crypto_core_ed25519_scalar_reduce(digest), secret)
    return commitment + crypto_core_ed25519_scalar_add(nonce, product)
