"""Any course of operations on one DID: versions, authority and finality hold throughout (ID-3, LED-3).

A model keeps what the DID must be; a thief has every key that was ever shown and every message that was ever sent.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from did_kit import Holder, Network
from lianzheng.identity.did.model import DidRecord, DidService, commitment, did_record_hash, did_version_key
from lianzheng.ledger.transaction import Transaction

_DAY_MS = 24 * 3600 * 1000
SERVICE = DidService(id="#files", type="LinkedDomains", endpoint="https://example.org/")


class OneDid(RuleBasedStateMachine):
    """Keys are numbered; number n + 1 is committed while number n is present."""

    @initialize(committed=st.booleans(), recovery=st.booleans())
    def create(self, committed: bool, recovery: bool) -> None:
        self.network = Network()
        self.holder = Holder(next_keys=1 if committed else 0, recovery=recovery)
        assert self.network.create(self.holder) == "ok"
        self.present, self.recoveries, self.alive = 0, ["r"] if recovery else [], True
        self.committed = committed
        self.history: list[DidRecord] = [self.network.record(self.holder)]
        self.accepted: list[Transaction] = []

    def _done(self, code: str) -> None:
        assert code == "ok"
        self.history.append(self.network.record(self.holder))
        self.accepted.append(self.network.sent[-1])
        self.network.time_ms += _DAY_MS  # the bound of a day is tested elsewhere

    def _control(self, key: int, commit: bool) -> dict[str, Any]:
        following = (commitment("next", self.holder.multikey(key + 1)),) if commit else ()
        recovery = commitment("recovery", self.holder.multikey(self.recoveries[-1])) if self.recoveries else None
        return {"next": following, "recovery": recovery}

    @precondition(lambda self: self.alive)
    @rule(there=st.booleans())
    def change_services(self, there: bool) -> None:
        services = (SERVICE,) if there else ()
        self._done(self.network.update(self.holder, signer=self.present, services=services))

    @precondition(lambda self: self.alive)
    @rule(commit=st.booleans())
    def rotate(self, commit: bool) -> None:
        signer = self.present + 1 if self.committed else self.present
        key, control = self.holder.key(self.present + 1), self._control(self.present + 1, commit)
        self._done(self.network.update(self.holder, signer=signer, keys=(key,), control=control))
        self.present, self.committed = self.present + 1, commit

    @precondition(lambda self: self.alive and self.recoveries)
    @rule(again=st.booleans(), commit=st.booleans())
    def recover(self, again: bool, commit: bool) -> None:
        used = self.recoveries[-1]
        self.recoveries = [*self.recoveries, used + "r"] if again else []
        key = self.present + 2
        control = self._control(key, commit)
        self._done(self.network.recover(self.holder, signer=used, keys=(self.holder.key(key),), control=control))
        self.present, self.committed = key, commit

    @precondition(lambda self: self.alive and len(self.history) > 2)
    @rule()
    def deactivate(self) -> None:
        reveal = self.present + 1 if self.committed else None
        self._done(self.network.deactivate(self.holder, reveal=reveal, signer=self.present))
        self.alive = False

    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """What once stood never stands again, whatever the content has come back to."""
        if not self.accepted:
            return
        before = self.network.state.get(f"did/{self.holder.did}")
        index = data.draw(st.integers(0, len(self.accepted) - 1))
        time_ms = self.network.time_ms
        self.network.time_ms = self.history[index + 1].updated_ms  # so that it has not expired either
        assert self.network.send(self.accepted[index]) != "ok"
        self.network.time_ms = time_ms
        assert self.network.state.get(f"did/{self.holder.did}") == before

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def follow_an_old_version(self, data: st.DataObject) -> None:
        """A change made upon any version but the present one is refused: 5, 6, 5 is no way back."""
        older: list[DidRecord | None] = [*self.history[:-1]]
        old = data.draw(st.sampled_from(older or [None]))
        if old is not None:
            assert self.network.update(self.holder, signer=self.present, record=old, services=()) == "version_wrong"
            number = self.history[-1].version + 1
            code = self.network.update(self.holder, signer=self.present, prev=did_record_hash(old), version=number)
            assert code == "prev_wrong"

    @precondition(lambda self: self.alive and self.committed)
    @rule(data=st.data())
    def steal(self, data: st.DataObject) -> None:
        """With every key that was ever shown, a thief changes no key, commitment or controller, and ends nothing."""
        key = data.draw(st.integers(0, self.present))
        mine = (self.holder.key(77),)
        thefts: list[dict[str, Any]] = [
            {"keys": mine},
            {"keys": (self.holder.key(key),), "control": {}},
            {"keys": (self.holder.key(self.present),), "control": {"next": ()}},
            {"control": {"next": (commitment("next", mine[0].multikey),)}},
            {"control": {"controllers": (self.network.created(Holder(f"thief {self.network.height}")).did,)}},
        ]
        for theft in thefts:
            assert self.network.update(self.holder, signer=key, **theft) not in ("ok", "internal_refusal")
        assert self.network.deactivate(self.holder, signer=key) != "ok"

    @precondition(lambda self: not self.alive)
    @rule()
    def wake(self) -> None:
        last = self.history[-2]
        assert self.network.update(self.holder, signer=self.present, record=last) == "sender_unknown"
        assert self.network.recover(self.holder, record=last) == "sender_unknown"
        assert self.network.create(self.holder, nonce=self.network.height) in (
            "did_exists",
            "nonce_used",
            "nonce_too_far",
        )

    @invariant()
    def every_version_is_kept(self) -> None:
        if not hasattr(self, "history"):
            return
        assert self.network.record(self.holder) == self.history[-1]
        for record in self.history[:-1]:
            kept = self.network.state.get(did_version_key(self.holder.did, record.version))
            assert DidRecord.from_json(kept) == record
        assert [record.version for record in self.history] == list(range(1, len(self.history) + 1))
        assert len({did_record_hash(record) for record in self.history}) == len(self.history)


TestOneDid = OneDid.TestCase
TestOneDid.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
