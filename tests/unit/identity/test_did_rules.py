"""did.update, did.recover, did.deactivate: control, pre-rotation, versions (ID-3, LED-3, LED-6)."""

from __future__ import annotations

from typing import Any

import pytest

from did_kit import Holder, Network
from ledger_kit import ALPHA
from lianzheng.encoding.multikey import BLS12381_G2_PUB, P256_PUB, P384_PUB, X25519_PUB, encode_multikey
from lianzheng.errors import FormatError
from lianzheng.identity.did.model import (
    CreationOperation2,
    DidContent,
    DidControl,
    DidCreate,
    DidRecord,
    DidService,
    MethodKey,
    commitment,
    did_of,
    did_version_key,
)
from lianzheng.limits import DID_CHANGES_PER_DAY_MAX, DID_ROTATIONS_PER_DAY_MAX

SERVICE = DidService(id="#files", type="LinkedDomains", endpoint="https://example.org/")


@pytest.fixture
def network() -> Network:
    return Network()


def test_an_update_makes_the_next_version_and_keeps_the_last(network: Network) -> None:
    holder = network.created(Holder())
    first = network.record(holder)
    assert network.update(holder, services=(SERVICE,)) == "ok"
    now = network.record(holder)
    assert (now.version, now.services, now.keys) == (2, (SERVICE,), first.keys)
    kept = network.state.get(did_version_key(holder.did, 1))
    assert DidRecord.from_json(kept) == first
    assert now.created_ms == first.created_ms < now.updated_ms


def test_a_record_of_version_1_is_encoded_as_ever(network: Network) -> None:
    """The bytes that schema 1 wrote: no member that it did not know."""
    person = Holder.person("a person of version 1")
    operation = DidCreate(operation=person.operation).to_json()
    assert network.send(person.transaction("did.create", operation, 1)) == "ok"
    value = network.state.get(f"did/{person.did}")
    assert value is not None
    assert sorted(value) == ["created_ms", "did", "keys", "services", "status", "updated_ms", "version"]
    assert DidRecord.from_json(value).to_json() == value


def test_new_kinds_do_not_exist_under_schema_1() -> None:
    network = Network(schema=1)
    assert network.create(Holder()) == "field_invalid"
    holder = Holder()
    assert network.update(holder, record=holder.first(), services=()) == "kind_unknown"


def test_keys_of_every_type_stand_with_the_purposes_that_fit(network: Network) -> None:
    holder = network.created(Holder())
    keys = (
        holder.key(0),
        MethodKey(id="#p256", multikey=encode_multikey(P256_PUB, b"\2" * 33), purposes=("authentication",)),
        MethodKey(id="#p384", multikey=encode_multikey(P384_PUB, b"\3" * 49), purposes=("capabilityDelegation",)),
        MethodKey(id="#bbs", multikey=encode_multikey(BLS12381_G2_PUB, b"\x93" * 96), purposes=("assertionMethod",)),
        MethodKey(id="#box", multikey=encode_multikey(X25519_PUB, bytes(32)), purposes=("keyAgreement",)),
    )
    assert network.update(holder, keys=keys) == "ok"
    assert network.record(holder).keys == keys


@pytest.mark.parametrize(
    ("key_id", "codec", "key", "purposes"),
    [
        ("#a", X25519_PUB, bytes(32), ("authentication",)),
        ("#a", BLS12381_G2_PUB, b"\x93" * 96, ("authentication",)),
        ("#a", P256_PUB, b"\2" * 33, ("keyAgreement",)),
        ("#a", P256_PUB, b"\4" * 33, ("authentication",)),
        ("#a", P256_PUB, b"\2" * 32, ("authentication",)),
        ("#a", 0xE7, b"\2" * 33, ("authentication",)),
        ("#node", P256_PUB, b"\2" * 33, ("authentication",)),
        ("#validator", P384_PUB, b"\2" * 49, ("authentication",)),
    ],
)
def test_a_key_that_cannot_serve_is_malformed(key_id: str, codec: int, key: bytes, purposes: tuple[str, ...]) -> None:
    with pytest.raises(FormatError, match="field_invalid"):
        MethodKey.from_json({"id": key_id, "multikey": encode_multikey(codec, key), "purposes": list(purposes)})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 3}, "version_wrong"),
        ({"version": 1}, "version_wrong"),
        ({"prev": bytes(32)}, "prev_wrong"),
        ({"keys": ()}, "did_authentication_missing"),
        ({"control": {"threshold": 2}}, "threshold_unreachable"),
    ],
)
def test_changes_that_do_not_fit_are_refused(network: Network, changes: dict[str, Any], code: str) -> None:
    holder = network.created(Holder())
    before = network.state.get(f"did/{holder.did}")
    assert network.update(holder, **changes) == code
    assert network.state.get(f"did/{holder.did}") == before


def test_a_strangers_signature_changes_nothing(network: Network) -> None:
    holder, other = network.created(Holder()), network.created(Holder("other"))
    assert network.update(holder, sender=other) == "did_sender_wrong"
    assert network.update(holder, services=(SERVICE,), seed=other.seed(0)) == "signature_invalid"


def test_a_nonce_does_not_stand_in_for_prev(network: Network) -> None:
    holder = network.created(Holder())
    assert network.update(holder, nonce=7) == "nonce_unexpected"


def test_a_stolen_present_key_rotates_nothing_where_commitments_stand(network: Network) -> None:
    holder = network.created(Holder(next_keys=1))
    thief = holder.key(9, "#key-1")
    assert network.update(holder, keys=(thief,)) == "rotation_not_committed"
    assert network.update(holder, control={"next": ()}) == "rotation_not_committed"
    assert network.update(holder, control={"next": (commitment("next", thief.multikey),)}) == "rotation_not_committed"
    assert network.update(holder, control={"recovery": None}) == "rotation_not_committed"
    assert network.update(holder, keys=(thief,), signer=9) == "signature_invalid"
    assert network.deactivate(holder) == "rotation_not_committed"
    assert network.update(holder, services=(SERVICE,)) == "ok"  # all that it gives


def test_the_committed_key_rotates_and_the_old_one_is_nothing(network: Network) -> None:
    holder = network.created(Holder(next_keys=1))
    third = commitment("next", holder.key(2).multikey)
    rotated: dict[str, Any] = {"keys": (holder.key(1, "#key-1"),), "control": {"next": (third,)}}
    assert network.update(holder, signer=1, **rotated) == "ok"
    assert network.update(holder, services=(SERVICE,), signer=0) == "signature_invalid"
    assert network.update(holder, services=(SERVICE,), signer=1) == "ok"
    assert network.update(holder, signer=2, keys=(holder.key(2, "#key-1"),), control={}) == "ok"


def test_a_rotation_brings_in_committed_keys_only(network: Network) -> None:
    holder = network.created(Holder(next_keys=1))
    smuggled = MethodKey(id="#more", multikey=holder.key(8).multikey, purposes=("assertionMethod",))
    keys = (holder.key(1, "#key-1"), smuggled)
    assert network.update(holder, signer=1, keys=keys, control={}) == "key_not_committed"


def test_a_commitment_to_a_key_that_is_shown_is_none(network: Network) -> None:
    holder = network.created(Holder())
    for use in ("next", "recovery"):
        digest = commitment(use, holder.key(0).multikey)
        control = {"next": (digest,)} if use == "next" else {"recovery": digest}
        assert network.update(holder, control=control) == "commitment_revealed"


def test_the_recovery_key_takes_a_did_back_and_serves_once(network: Network) -> None:
    holder = network.created(Holder(next_keys=1, recovery=True))
    fresh: dict[str, Any] = {"keys": (holder.key(5, "#key-1"),)}
    assert network.recover(holder, signer=6, **fresh) == "key_unknown"
    old = holder.control().recovery
    assert network.recover(holder, **fresh, control={"recovery": old}) == "commitment_revealed"
    assert network.recover(holder, **fresh, control={}) == "ok"
    assert network.record(holder).version == 2
    assert network.update(holder, services=(SERVICE,), signer=0) == "signature_invalid"
    assert network.update(holder, services=(SERVICE,), signer=5) == "ok"
    assert network.recover(holder, **fresh, control={}) == "key_unknown"


def test_a_recovery_key_signs_nothing_else(network: Network) -> None:
    holder = network.created(Holder(recovery=True))
    assert network.update(holder, services=(SERVICE,), key_id="#recovery", seed=holder.seed("r")) == "key_unknown"


def test_deactivation_is_final(network: Network) -> None:
    holder = network.created(Holder(recovery=True))
    record = network.record(holder)
    assert network.deactivate(holder) == "ok"
    dead = network.record(holder)
    assert (dead.status, dead.version, dead.keys, dead.services, dead.control) == ("deactivated", 2, (), (), None)
    assert network.update(holder, services=(SERVICE,)) == "sender_unknown"
    assert network.recover(holder, record=record) == "sender_unknown"
    assert network.create(holder, nonce=2) == "did_exists"
    assert DidRecord.from_json(network.state.get(did_version_key(holder.did, 1))) == record


def test_a_committed_or_recovery_key_deactivates_where_commitments_stand(network: Network) -> None:
    for label, signer in (("next", 1), ("recovery", "r")):
        holder = network.created(Holder(label, next_keys=1, recovery=True))
        assert network.deactivate(holder, reveal=7) == "key_unknown"
        assert network.deactivate(holder, reveal=signer) == "ok"


def test_a_controller_that_is_deactivated_controls_nothing(network: Network) -> None:
    boss = network.created(Holder("boss"))
    holder = network.created(Holder(control={"controllers": (boss.did,)}))
    assert network.update(holder, sender=boss, services=(SERVICE,)) == "ok"
    assert network.deactivate(boss) == "ok"
    assert network.update(holder, sender=boss, services=()) == "sender_unknown"
    assert network.deactivate(holder) == "ok"
    assert (
        network.update(holder, sender=network.created(Holder("late")), record=network.record(holder))
        == "did_deactivated"
    )


def test_an_institutions_keys_change_by_several_hands_only(network: Network) -> None:
    chief, clerk = network.created(Holder("chief")), network.created(Holder("clerk"))
    both = tuple(sorted((chief.did, clerk.did)))
    holder = network.created(Holder(control={"controllers": both, "threshold": 2}))
    new: dict[str, Any] = {"keys": (holder.key(0, "#key-1"), holder.key(3, "#more")), "control": holder.control()}
    assert network.update(holder, sender=chief, **new) == "approvals_missing"
    assert network.update(holder, sender=chief, approvals=(chief,), **new) == "approvals_missing"
    stranger = network.created(Holder("stranger"))
    assert network.update(holder, sender=chief, approvals=(stranger,), **new) == "approval_invalid"
    assert network.update(holder, sender=chief, approvals=(clerk,), spoil=True, **new) == "approval_invalid"
    assert network.update(holder, sender=chief, services=(SERVICE,), control=holder.control()) == "ok"
    assert network.update(holder, sender=chief, approvals=(clerk,), **new) == "ok"


def test_one_hand_ends_no_institution_by_showing_a_recovery_key_that_it_does_not_hold(network: Network) -> None:
    boss = network.created(Holder("boss"))
    control = {"controllers": (boss.did,), "threshold": 2}
    holder = network.created(Holder(recovery=True, control=control))
    assert network.deactivate(holder) == "approvals_missing"
    assert network.deactivate(holder, show="r") == "approvals_missing"
    assert network.deactivate(holder, reveal="r") == "ok"


def test_a_did_is_not_its_own_controller(network: Network) -> None:
    holder = network.created(Holder())
    assert network.update(holder, control={"controllers": (holder.did,)}) == "controller_invalid"


def test_a_day_has_a_bound_and_a_thief_leaves_room_for_rotation(network: Network) -> None:
    holder = network.created(Holder(next_keys=1))
    codes = [network.update(holder, services=(SERVICE,) if turn % 2 else ()) for turn in range(DID_CHANGES_PER_DAY_MAX)]
    assert codes[-1] == "did_changes_exhausted"
    assert codes.count("ok") == DID_CHANGES_PER_DAY_MAX - 1  # the creation was today's first
    assert network.update(holder, signer=1, keys=(holder.key(1, "#key-1"),), control={}) == "ok"
    network.time_ms += 24 * 3600 * 1000
    assert network.update(holder, signer=1, services=(SERVICE,)) == "ok"
    assert DID_CHANGES_PER_DAY_MAX < DID_ROTATIONS_PER_DAY_MAX


def test_a_member_keeps_what_the_network_relies_on(network: Network) -> None:
    holder = Holder.of(ALPHA)
    record = network.record(holder)
    bare = MethodKey(id="#node", multikey=record.keys[0].multikey, purposes=("authentication",))
    assert network.update(holder, keys=(bare,)) == "member_key_missing"
    assert network.deactivate(holder) == "did_of_member"
    more = MethodKey(id="#seal", multikey=encode_multikey(P256_PUB, b"\2" * 33), purposes=("assertionMethod",))
    assert network.update(holder, keys=(*record.keys, more)) == "ok"


def test_a_validator_key_has_one_owner_and_the_last_one_stays(network: Network) -> None:
    alpha, beta = Holder.of(ALPHA), Holder.named("beta")
    own = MethodKey(id="#validator", multikey=alpha.key(4).multikey, purposes=("authentication",))
    assert network.update(alpha, keys=(*network.record(alpha).keys, own)) == "ok"
    assert network.update(beta, keys=(*network.record(beta).keys, own)) == "validator_key_in_use"
    assert network.update(alpha, keys=network.record(alpha).keys[:1]) == "validator_key_missing"
    other = MethodKey(id="#validator", multikey=beta.key(4).multikey, purposes=("authentication",))
    assert network.update(beta, keys=(*network.record(beta).keys, other)) == "ok"
    assert network.update(alpha, keys=network.record(alpha).keys[:1]) == "ok"


def test_every_part_of_a_creation_of_version_2_enters_the_did() -> None:
    operation = Holder(next_keys=1).operation
    for control in (DidControl(), DidControl(recovery=bytes(32)), DidControl(also_known_as=("https://example.org/",))):
        content = DidContent(keys=operation.content.keys, control=control)
        changed = CreationOperation2(network=operation.network, salt=operation.salt, content=content)
        try:
            assert did_of(changed) != did_of(operation)
        except FormatError as error:
            assert error.code == "did_invalid"
