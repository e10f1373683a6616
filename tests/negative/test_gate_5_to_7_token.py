"""GATE-5 to GATE-7: issuer, key and policy; the issuer's signature; the holder's signature."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gate_kit import ALPHA, BETA, DELTA, GAMMA, START_MS, WEALTH, GateNet, Issued
from lianzheng.compute.gate.model import ViewEpoch
from lianzheng.consent.model import Token
from lianzheng.consent.token import default_validity, make_token
from lianzheng.crypto.hazmat.bls12381 import G1, ORDER, scalar_from_bytes, scalar_to_bytes
from lianzheng.governance.model import member_key
from lianzheng.identity.model import credential_key_id
from lianzheng.limits import CREDENTIAL_OVERLAP_MS, CREDENTIAL_PERIOD_MS
from lianzheng.zk import spseq


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[GateNet]:
    made = await GateNet(tmp_path).open()
    yield made
    await made.close()


async def regranted(net: GateNet, issued: Issued, **changes: Any) -> Issued:
    """A forged token with a grant of its own: whoever alters a token can post the altered one's digest."""
    forged = replace(issued, token=issued.token.model_copy(update=changes))
    assert await net.grant(forged) == ["ok"]
    return forged


async def test_an_issuer_that_is_no_member(net: GateNet) -> None:
    stranger = "did:lz:test-ledger:z" + "2" * 44
    person, issued = net.people[1], net.issue()
    terms = issued.token.terms.model_copy(update={"issuer": stranger})
    signature = spseq.sign(net.issuer_keys[GAMMA.did], (G1.generator(), person.u, G1.generator() * person.v))
    token, r = make_token(terms, person.u, person.v, signature)
    issued = replace(issued, token=token, r=r)
    assert await net.grant(issued) == ["ok"]
    await net.deny("token_issuer_unknown", issued)


async def test_an_issuer_that_was_suspended(net: GateNet) -> None:
    issued = await net.granted()
    net.ledger.put(member_key(GAMMA.did), phase="suspended")
    await net.deny("token_issuer_inactive", issued)


async def test_the_requester_as_issuer(net: GateNet) -> None:
    await net.publish_key(ALPHA)
    await net.deny("token_issuer_group_forbidden", await net.granted(issuer=ALPHA))


async def test_an_issuer_of_the_requesters_control_group(net: GateNet) -> None:
    await net.publish_key(DELTA)
    await net.deny("token_issuer_group_forbidden", await net.granted(issuer=DELTA))


async def test_an_issuer_on_which_the_datasets_policy_does_not_rely(net: GateNet) -> None:
    issued = await net.granted()
    await net.loading.publish(net.offer(issuers=[BETA.did]))
    await net.deny("issuer_not_allowed", issued)


async def test_a_policy_never_widens_the_rule(net: GateNet) -> None:
    await net.publish_key(DELTA)
    await net.loading.publish(net.offer(issuers=[DELTA.did]))
    await net.deny("token_issuer_group_forbidden", await net.granted(issuer=DELTA))


@pytest.mark.parametrize("name", [credential_key_id(GAMMA.did, 1), credential_key_id(BETA.did, 0)])
async def test_a_key_name_unlike_the_terms(net: GateNet, name: str) -> None:
    issued = net.issue()
    keys = issued.token.keys.model_copy(update={"sigma_i": name})
    await net.deny("token_key_mismatch", await regranted(net, issued, keys=keys))


async def test_a_key_of_the_next_period(net: GateNet) -> None:
    await net.deny(
        "token_key_period_future", await net.granted(credential_period=1, not_before=default_validity(0, START_MS)[0])
    )


async def test_the_previous_periods_key_through_its_overlap(net: GateNet) -> None:
    """Terms end before the overlap does (B13), so it is the dates that end a token, never the key."""
    issued = await net.granted()
    net.clock.advance(START_MS + CREDENTIAL_PERIOD_MS + CREDENTIAL_OVERLAP_MS // 2 - net.clock.now_ms())
    await net.views.open_epoch(WEALTH, net.clock.now_ms() + CREDENTIAL_OVERLAP_MS)
    asked = (ViewEpoch(view=WEALTH, epoch=2),)
    await net.ask(issued, asked)
    net.clock.advance(CREDENTIAL_OVERLAP_MS // 2)
    await net.deny("token_expired", issued, asked)


async def test_an_issuer_without_a_key_of_the_period(net: GateNet) -> None:
    await net.deny("token_issuer_key_unknown", await net.granted(issuer=BETA))


@pytest.mark.parametrize("point", ["a", "b", "c", "R"])
@pytest.mark.parametrize("defect", ["identity", "off_curve"])
async def test_a_point_that_is_none(net: GateNet, point: str, defect: str) -> None:
    bad = bytes([0xC0]) + bytes(47) if defect == "identity" else b"\x80" + b"\xff" * 47
    await net.deny("token_points_invalid", await regranted(net, net.issue(), **{point: bad}))


async def test_a_response_that_is_not_below_the_order(net: GateNet) -> None:
    issued = net.issue()
    raised = scalar_from_bytes(issued.token.z) + ORDER
    wire = raised.to_bytes(32, "big") if raised < 2**256 else ORDER.to_bytes(32, "big")
    await net.deny("token_scalar_invalid", await regranted(net, issued, z=wire))


async def test_a_token_that_was_not_blinded(net: GateNet) -> None:
    await net.deny("token_not_randomised", await regranted(net, net.issue(), a=G1.generator().to_bytes()))


async def test_a_signature_by_another_issuer(net: GateNet) -> None:
    await net.publish_key(BETA)
    issued = net.issue(issuer=BETA)
    terms = issued.token.terms.model_copy(update={"issuer": GAMMA.did})
    keys = issued.token.keys.model_copy(update={"sigma_i": credential_key_id(GAMMA.did, 0)})
    await net.deny("token_issuer_signature_invalid", await regranted(net, issued, terms=terms, keys=keys))


@pytest.mark.parametrize("part", ["b", "sigma_i"])
async def test_another_persons_element_or_signature(net: GateNet, part: str) -> None:
    mine, theirs = net.issue(net.people[1]), net.issue(net.people[2])
    await net.deny("token_issuer_signature_invalid", await regranted(net, mine, **{part: getattr(theirs.token, part)}))


@pytest.mark.parametrize(
    "changes", [{"max_uses": 13}, {"nonce": bytes(32)}, {"template": "sharing-zh-2"}, {"text": b"\1" * 32}]
)
async def test_terms_that_the_holder_did_not_sign(net: GateNet, changes: dict[str, Any]) -> None:
    issued = net.issue()
    await net.deny(
        "token_holder_signature_invalid",
        await regranted(net, issued, terms=issued.token.terms.model_copy(update=changes)),
    )


async def test_a_holder_signature_without_the_holders_secret(net: GateNet) -> None:
    """The ledger's or an earlier token's (A, B, C) with σ, and a Schnorr proof under a wrong v."""
    issued = net.issue()
    z = scalar_to_bytes((scalar_from_bytes(issued.token.z) + 1) % ORDER)
    await net.deny("token_holder_signature_invalid", await regranted(net, issued, z=z))


async def test_a_token_in_another_encoding(net: GateNet) -> None:
    issued = await net.granted()
    raw = issued.token.to_bytes()
    await net.refused("json_not_canonical", net.request(issued), b" " + raw)
    await net.refused("json_malformed", net.request(issued), raw[:-1])
    await net.refused("field_invalid", net.request(issued), raw.replace(b'"z"', b'"zz"'))
    await net.refused("too_large", net.request(issued), raw + b" " * 9000)
    assert Token.from_bytes(raw) == issued.token
