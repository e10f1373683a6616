"""A machine of four control groups and more, and what each party sends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ledger_kit import AGREEMENT, CHAIN, START_MS, Party, make_genesis
from lianzheng.clock import DAY_MS, day_of
from lianzheng.contracts.machine import Machine
from lianzheng.encoding.canonical import JsonObject
from lianzheng.governance.admission.model import Application, application_bytes
from lianzheng.governance.members import member_of
from lianzheng.governance.motions.model import MotionRecord, motion_id, motion_of
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.ports import TxResult

A, B, C, D, SISTER = (Party(name) for name in ("alpha", "beta", "gamma", "epsilon", "delta"))
"""Four groups; ``SISTER`` belongs to alpha's."""
NEWCOMER = Party("newcomer")
PAPER = "cGFwZXIgcGFwZXIgcGFwZXIgcGFwZXIgcGFwZXIgcGE"
FOUNDERS = (A, B, C, D, SISTER)


def genesis(**changes: Any) -> Genesis:
    """Alpha and delta one group, beta, gamma and epsilon one each; alpha sequences."""
    return make_genesis(FOUNDERS, **changes)


@dataclass
class Council:
    """Sends transactions one a block and keeps the nonces."""

    machine: Machine = field(default_factory=lambda: Machine(genesis()))
    now_ms: int = START_MS
    nonces: dict[str, int] = field(default_factory=dict)

    def send(self, party: Party, kind: str, payload: JsonObject, *, ordered: bool = False) -> TxResult:
        """One transaction in a block of its own."""
        self.now_ms += 1000
        nonce = None
        if not ordered:
            nonce = self.nonces[party.did] = self.nonces.get(party.did, 0) + 1
        transaction = party.transaction(kind, payload, nonce, now_ms=self.now_ms)
        result = self.machine.execute_block(self.machine.height + 1, self.now_ms, [transaction.to_bytes()])[0]
        self.machine.commit()
        return result

    def ok(self, party: Party, kind: str, payload: JsonObject, *, ordered: bool = False) -> TxResult:
        """As :meth:`send`; the transaction must be accepted."""
        result = self.send(party, kind, payload, ordered=ordered)
        assert result.ok, result.code
        return result

    def motion(self, kind: str, content: JsonObject) -> MotionRecord:
        """The motion as it stands."""
        return motion_of(self.machine.state, motion_id(CHAIN, kind, content))

    def ballot(self, kind: str, content: JsonObject, ballot: str = "yes") -> JsonObject:
        """Payload of a vote on the motion."""
        from lianzheng.governance.motions.model import MotionVote

        motion = self.motion(kind, content)
        name = motion_id(CHAIN, kind, content)
        return MotionVote(motion=name, opened_height=motion.opened_height, ballot=ballot).to_json()  # type: ignore[arg-type]

    def carry(self, kind: str, content: JsonObject, voters: tuple[Party, ...], vote: str = "member.vote") -> TxResult:
        """The first opens the motion, the others vote yes; the last result."""
        ordered = kind in ("parameter.propose", "points.rule")
        result = self.ok(voters[0], kind, content, ordered=ordered)
        for voter in voters[1:]:
            result = self.ok(voter, vote, self.ballot(kind, content))
        return result

    def phase(self, party: Party) -> str:
        """The member's phase."""
        member = member_of(self.machine.state, party.did)
        assert member is not None
        return member.phase

    def pass_days(self, days: int) -> None:
        """Block time goes on."""
        self.now_ms += days * DAY_MS

    @property
    def today(self) -> str:
        return day_of(self.now_ms)


def about(party: Party) -> JsonObject:
    """Content of a motion about a member."""
    return {"member": party.did, "reason": PAPER}


def application(party: Party = NEWCOMER, **changes: Any) -> JsonObject:
    """Payload of ``member.apply``, signed by the applicant."""
    from lianzheng.encoding.binary import b64u_encode

    fields: dict[str, Any] = {
        "did_operation": party.operation.to_json(),
        "name": f"Broker {party.name}",
        "type": "broker",
        "uscc": "91110000MA00000000",
        "address": "Example street 9",
        "licences": ("securities brokerage",),
        "pilot_licences": (),
        "filing_state": "filed",
        "control_group": party.name,
        "endpoint": "https://127.0.0.1:7900",
        "certificate": f"certificate of {party.name}".encode(),
        "roles": ("provider", "requester"),
        "network": CHAIN,
        "agreement": AGREEMENT,
        "materials": b"m" * 32,
    }
    record = Application(**(fields | changes))
    return {"application": record.to_json(), "signature": b64u_encode(party.sign(application_bytes(record)))}


def assessment(council: Council, party: Party, kind: str, **changes: Any) -> JsonObject:
    """Payload of ``member.assess``."""
    payload = {"member": party.did, "kind": kind, "report": PAPER, "assessed_on": council.today, "passed": True}
    return payload | changes


def admit(council: Council, party: Party = NEWCOMER) -> None:
    """The whole way in."""
    council.ok(A, "member.apply", application(party))
    council.ok(B, "member.assess", assessment(council, party, "institution"))
    council.ok(C, "member.assess", assessment(council, party, "technology"))
    for voter in (A, B, C):
        council.ok(voter, "member.vote", council.ballot("member.admit", {"member": party.did}))
