"""Member records, the directory, and what a member may change of its own record."""

from __future__ import annotations

from ledger_kit import ALPHA, BETA, DELTA, START_MS, Party, make_genesis, update_payload
from lianzheng.contracts.machine import Machine
from lianzheng.crypto.digest import sha256_raw
from lianzheng.governance.service import MemberDirectory


def test_founders_are_active_and_found_by_did_and_certificate() -> None:
    directory = MemberDirectory(lambda: Machine(make_genesis()).state)
    member = directory.get(BETA.did)
    assert member is not None and (member.phase, member.version, member.name) == ("active", 0, "Broker beta")
    assert directory.by_fingerprint(sha256_raw(b"certificate of beta")) == member
    assert directory.by_fingerprint(b"f" * 32) is None
    assert directory.get(Party("stranger").did) is None
    assert [record.did for record in directory.active()] == sorted(record.did for record in directory.all())


def test_sisters_are_one_control_group_and_strangers_none() -> None:
    directory = MemberDirectory(lambda: Machine(make_genesis()).state)
    assert directory.same_group(ALPHA.did, DELTA.did)
    assert not directory.same_group(ALPHA.did, BETA.did)
    stranger = Party("stranger").did
    assert not directory.same_group(stranger, stranger)


def test_a_member_changes_its_own_certificate_and_endpoint_and_nothing_else() -> None:
    machine = Machine(make_genesis())
    directory = MemberDirectory(lambda: machine.state)
    before = directory.get(BETA.did)
    transaction = BETA.transaction("member.update", update_payload(9, "beta"), 1, now_ms=START_MS)
    assert machine.execute_block(1, START_MS + 1, [transaction.to_bytes()])[0].ok
    after = directory.get(BETA.did)
    assert before is not None and after is not None
    changed = {name for name in dict(before) if dict(before)[name] != dict(after)[name]}
    assert changed == {"version", "certificate", "fingerprint", "endpoint"}
    assert directory.by_fingerprint(before.fingerprint) is None
    assert directory.by_fingerprint(sha256_raw(b"new certificate of beta")) == after
