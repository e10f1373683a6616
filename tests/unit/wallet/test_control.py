"""The wallet's DID changes as did:lz allows, against the ledger's rules; a lost answer loses no key (ID-3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from consent_kit import CHAIN, Wallets, offer
from consent_kit import Network as ConsentNetwork
from did_kit import Network
from ledger_kit import START_MS
from lianzheng.clock import ManualClock
from lianzheng.errors import LianzhengError
from lianzheng.identity.model import public_key
from lianzheng.identity.resolver import read_did
from lianzheng.ledger.transaction import Transaction
from lianzheng.wallet import Wallet
from lianzheng.wallet.control import Change, recovery
from lianzheng.wallet.keys import consent_seed, holder_secret
from lianzheng.wallet.model import HeldKey, Reserve, consent_key
from lianzheng.wallet.wallet import _taken_over


class Scene:
    """One wallet in front of a machine."""

    def __init__(self, *, committed: bool = True) -> None:
        self.network, self.store, self.clock = Network(), Wallets(), ManualClock(START_MS)
        self.wallet = Wallet.create("own", CHAIN, self.store, self.clock, test_network=True, committed=committed)
        assert self.network.send(self.wallet.create_did()) == "ok"

    @property
    def record(self) -> Any:
        return read_did(self.network.state, self.wallet.did)

    def change(self, kind: Any, reserve: Reserve | None = None) -> str:
        """Begun, sent, settled; the ledger's code."""
        made = self.wallet.begin(kind, self.record, reserve)
        code = self.network.send(Transaction.parse(made.transaction))
        assert self.wallet.finish(self.record, self.network.time_ms) == ("done" if code == "ok" else "open")
        return code

    def loaded(self) -> Wallet:
        return Wallet.load("own", self.store, self.clock, test_network=True)


def holds(scene: Scene, wallet: Wallet) -> None:
    """The wallet's present key is the DID's, and it signs."""
    key = wallet._state.key
    (listed,) = scene.record.keys
    assert (listed.id, listed.multikey, wallet.key_id) == (key.id, key.multikey, key.id)
    assert public_key(scene.record, key.id, "authentication")


def test_a_wallet_is_created_with_commitments() -> None:
    scene = Scene()
    control = scene.record.controls
    assert (len(control.next), control.recovery is not None, scene.record.version) == (1, True, 1)
    assert scene.wallet.reserve is not None
    assert scene.store.names() == ["own"]
    holds(scene, scene.wallet)


def test_rotation_after_rotation_each_reveals_the_committed_key() -> None:
    scene = Scene()
    seen = {scene.record.keys[0].multikey}
    recovery = scene.record.controls.recovery
    for version in (2, 3, 4):
        assert scene.change("rotate") == "ok"
        assert (scene.record.version, scene.record.keys[0].id) == (version, f"#key-{version}")
        seen.add(scene.record.keys[0].multikey)
        holds(scene, scene.loaded())
    assert len(seen) == 4
    assert scene.record.controls.recovery == recovery


def test_recovery_brings_a_fresh_key_and_makes_the_old_reserve_worthless() -> None:
    scene = Scene()
    old, before = scene.wallet.reserve, scene.record
    assert scene.change("recover") == "ok"
    fresh = scene.wallet.reserve
    assert old is not None
    assert fresh is not None
    assert fresh.secret != old.secret
    assert {*before.controls.next, before.controls.recovery}.isdisjoint(
        {*scene.record.controls.next, scene.record.controls.recovery}
    )
    holds(scene, scene.loaded())
    for kind in ("rotate", "recover", "deactivate"):
        with pytest.raises(LianzhengError, match="reserve_wrong"):
            scene.wallet.begin(kind, scene.record, old)
    assert scene.change("rotate") == "ok"


def test_a_thief_of_the_state_alone_changes_no_key() -> None:
    """The state without the reserve cannot rotate; and what it signs itself the ledger refuses (ADR 0019)."""
    scene = Scene()
    scene.wallet.keep_reserve(None)
    for kind in ("rotate", "recover", "deactivate"):
        with pytest.raises(LianzhengError, match="reserve_missing"):
            scene.wallet.begin(kind, scene.record)
    thief = Reserve(chain_id=CHAIN, secret=bytes(32))
    with pytest.raises(LianzhengError, match="reserve_wrong"):
        scene.wallet.begin("rotate", scene.record, thief)
    assert scene.wallet.change is None


def test_the_thief_s_present_key_is_rotated_away_by_the_recovery_key() -> None:
    scene = Scene()
    stolen = scene.loaded()
    assert scene.change("recover") == "ok"
    withdrawn = stolen._state.key
    with pytest.raises(LianzhengError, match="key_unknown"):
        public_key(scene.record, withdrawn.id, "assertionMethod")


def test_deactivation_is_final() -> None:
    scene = Scene()
    assert scene.change("deactivate") == "ok"
    assert scene.record.status == "deactivated"
    with pytest.raises(LianzhengError, match="did_deactivated"):
        scene.wallet.begin("rotate", scene.record)


def test_a_did_without_commitments_gets_them_at_its_first_rotation() -> None:
    scene = Scene(committed=False)
    assert (scene.wallet.reserve, scene.record.control) == (None, None)
    assert scene.change("rotate") == "ok"
    assert scene.wallet.reserve is not None
    assert len(scene.record.controls.next) == 1
    for kind in ("rotate", "recover", "deactivate"):
        assert scene.change(kind) == "ok"


def test_a_did_without_commitments_is_deactivated_by_its_present_key() -> None:
    scene = Scene(committed=False)
    assert scene.change("deactivate") == "ok"


@pytest.mark.parametrize("kind", ["rotate", "recover"])
def test_an_answer_that_was_lost_loses_no_key(kind: Any) -> None:
    """Sent, taken, and the wallet's process gone: the next one finds the change and takes it over."""
    scene = Scene()
    made = scene.wallet.begin(kind, scene.record)
    assert scene.network.send(Transaction.parse(made.transaction)) == "ok"
    again = scene.loaded()
    with pytest.raises(LianzhengError, match="change_open"):
        again.begin(kind, scene.record)
    assert again.finish(scene.record, scene.network.time_ms) == "done"
    assert again.finish(scene.record, scene.network.time_ms) is None
    holds(scene, again)
    scene.wallet = again
    assert scene.change("rotate") == "ok"


def test_a_change_that_never_arrived_is_sent_again_and_given_up_only_when_it_is_impossible() -> None:
    scene = Scene()
    made = scene.wallet.begin("recover", scene.record)
    assert scene.wallet.finish(scene.record, START_MS + 1) == "open"
    assert scene.wallet.change == made
    key = scene.wallet._state.key
    assert scene.wallet.finish(scene.record, made.expires_ms) == "void"
    assert scene.loaded().change is None
    assert scene.wallet._state.key == key
    assert scene.change("rotate") == "ok"


def test_a_change_that_another_has_overtaken_is_void() -> None:
    """A copy of the wallet was quicker with its own recovery: ours can never go through."""
    scene = Scene()
    copy = scene.wallet.copy()
    other = Wallet.restore("other", copy, scene.store, scene.clock, test_network=True)
    scene.wallet.begin("recover", scene.record)
    made = other.begin("recover", scene.record)
    assert scene.network.send(Transaction.parse(made.transaction)) == "ok"
    assert scene.wallet.finish(scene.record, scene.network.time_ms) == "void"
    assert other.finish(scene.record, scene.network.time_ms) == "done"


def test_no_secret_shows_in_a_representation() -> None:
    scene = Scene()
    made = scene.wallet.begin("recover", scene.record)
    shown = repr((scene.wallet._state, scene.wallet.reserve, made, scene.wallet.copy()))
    for secret in (scene.wallet._state.seed, scene.wallet._state.key.secret, made.key.secret if made.key else b"-"):
        assert repr(secret) not in shown
    assert scene.wallet.reserve is not None
    assert repr(scene.wallet.reserve.secret) not in shown


async def test_after_a_theft_nothing_new_is_under_the_old_seed(tmp_path: Path) -> None:
    """Another v, other consent keys; consents of before are still withdrawn, and so they are from new shares (ID-7)."""
    network = await ConsentNetwork(tmp_path).open()
    wallet = await network.enrolled()
    old = network.sign(wallet)
    await network.desk.receive(old.submission)
    network.clock.advance(5_000)
    await network.desk.flush_due()
    before = wallet._state
    fresh = b"\x07" * 32
    change = Change(
        version=1, expires_ms=0, key=HeldKey(id="#key-2", secret=bytes(32)), reserve=None, seed=fresh, transaction=b"",
    )  # fmt: skip
    wallet._keep(_taken_over(before, change))
    assert (wallet.credentials, wallet.consents) == ((), (old.held,))
    assert holder_secret(wallet._state.seed, CHAIN) != holder_secret(before.seed, CHAIN)
    with pytest.raises(LianzhengError, match="no_issuer_outside_group"):
        network.sign(wallet, offer(number=2))
    (first, *_) = old.held.tokens
    assert consent_key(wallet._state, first) == consent_seed(before.seed, CHAIN, first.index)
    assert all(network.ledger.run(one).ok for one in wallet.withdraw(old.held.consent_id))
    await network.database.close()


def test_a_theft_is_survived_by_number() -> None:
    scene = Scene()
    for number in range(3):
        made = scene.wallet.begin("recover", scene.record, stolen=True)
        assert scene.network.send(Transaction.parse(made.transaction)) == "ok"
        assert scene.wallet.finish(scene.record, scene.network.time_ms) == "done"
        assert len(scene.loaded()._state.former) == number + 1
    assert len({scene.wallet._state.seed, *scene.wallet._state.former}) == 4
    full = scene.wallet._state.model_copy(update={"former": tuple(bytes([n]) * 32 for n in range(16))})
    with pytest.raises(LianzhengError, match="seeds_exhausted"):
        recovery(full, scene.wallet.reserve, scene.record, 1, stolen=True)
