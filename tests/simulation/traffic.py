"""What members, strangers and enemies send: drawn from one seed and from the state, valid about half of the time."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any

from governance_kit import FOUNDERS, NEWCOMER, application
from ledger_kit import CHAIN, Party
from lianzheng.clock import DAY_MS, day_of
from lianzheng.consent.model import ConsentRevoke, Grant, cid_of, grant_pop_bytes
from lianzheng.contracts.registry import ALL_RULES
from lianzheng.crypto import ed25519
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.governance.motions.model import motion_id
from lianzheng.governance.parameters.model import PARAMETERS, parameter_hash, parameter_record
from lianzheng.governance.points.model import SETTLED_KEY
from lianzheng.ledger.context import StateView
from lianzheng.ledger.nonces import highest_nonce
from lianzheng.ledger.transaction import Transaction

_ORDERED = {rule.kind for rule in ALL_RULES if rule.ordered}
PARTIES = (*FOUNDERS, NEWCOMER)
STRANGER = Party("somebody")


class Traffic:
    """Transactions as bytes; ``sent`` are the valid ones so far, to be replayed and mutated."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.sent: list[bytes] = []
        self._nonces: dict[str, int] = {}
        self._serial = 0

    def draw(self, state: StateView, now_ms: int, height: int) -> bytes:
        """One transaction: an act as the state allows it, or an enemy's."""
        if self.sent and self._rng.random() < 0.25:
            return self._enemy(now_ms)
        wire = self._act(state, now_ms, height).to_bytes()
        self.sent.append(wire)
        return wire

    def _digest(self) -> str:
        self._serial += 1
        return b64u_encode(hashlib.sha256(f"{self._rng.random()} {self._serial}".encode()).digest())

    def _send(self, state: StateView, party: Party, kind: str, payload: JsonObject, now_ms: int) -> Transaction:
        """With the next nonce as a rule; now and then one that was used, skipped ahead or lies outside the window."""
        highest = max(highest_nonce(state, party.did, "#node"), self._nonces.get(party.did, 0))
        step = self._rng.choice([1] * 20 + [2, 5, 0, -1, -70, 65])
        nonce = highest + step
        if 0 < step < 10:
            self._nonces[party.did] = nonce
        if kind in _ORDERED:
            return party.transaction(kind, payload, None, now_ms=now_ms)
        return party.transaction(kind, payload, max(nonce, 0), now_ms=now_ms)

    def _act(self, state: StateView, now_ms: int, height: int) -> Transaction:
        party = self._rng.choice(PARTIES)
        motions = [
            value for _, value in state.scan("motion/") if value["status"] == "open" and value["closes_ms"] > now_ms
        ]
        if motions and self._rng.random() < 0.6:
            return self._ballot(state, party, self._rng.choice(motions), now_ms)
        makers = (
            *(self._anchor, self._anchor, self._member_motion, self._parameter, self._incident, self._contain),
            *(self._close, self._settle, self._apply, self._assess, self._sign, self._leave, self._grant, self._revoke),
            *(self._upgrade, self._upgrade, self._winddown, self._voice),
        )
        kind, payload = self._rng.choice(makers)(state, party, now_ms, height)
        return self._send(state, party, kind, payload, now_ms)

    def _ballot(self, state: StateView, party: Party, motion: JsonObject, now_ms: int) -> Transaction:
        kind = "parameter.vote" if motion["kind"] in ("parameter.propose", "points.rule") else "member.vote"
        name = b64u_encode(motion_id(CHAIN, motion["kind"], motion["content"]))
        opened = motion["opened_height"] + self._rng.choice([0] * 9 + [1])
        ballot = self._rng.choice(["yes"] * 5 + ["no"])
        return self._send(state, party, kind, {"motion": name, "opened_height": opened, "ballot": ballot}, now_ms)

    def _anchor(self, state: StateView, party: Party, now_ms: int, height: int) -> tuple[str, JsonObject]:
        before = state.get(f"anchor/{party.did}")
        previous = None if before is None else before["digest"]
        return "evidence.anchor", {
            "root_sha256": self._digest(),
            "root_sm3": self._digest(),
            "count": self._rng.randint(1, 4096),
            "previous_anchor": previous if self._rng.random() < 0.8 else None,
        }

    def _member_motion(self, state: StateView, party: Party, now_ms: int, height: int) -> tuple[str, JsonObject]:
        about, kind = self._rng.choice(PARTIES), self._rng.choice(["suspend", "reinstate", "reinstate", "expel"])
        if kind == "expel" and self._rng.random() < 0.7:
            kind = "reinstate"
        return f"member.{kind}", {"member": about.did, "reason": self._digest()}

    def _parameter(self, state: StateView, party: Party, now_ms: int, height: int) -> tuple[str, JsonObject]:
        name = self._rng.choice([*sorted(PARAMETERS), "no_such_name"])
        spec = PARAMETERS.get(name)
        value = 5 if spec is None else self._rng.choice([spec.least, spec.most, spec.default, spec.most + 1])
        prev = self._digest() if spec is None else b64u_encode(parameter_hash(name, parameter_record(state, name)))
        kind = "points.rule" if name.startswith("points_") else "parameter.propose"
        return kind, {"name": name, "value": value, "prev": prev}

    def _incident(self, state: StateView, party: Party, now_ms: int, height: int) -> tuple[str, JsonObject]:
        return "incident.open", {"grade": self._rng.randint(1, 4), "category": "outage", "report": self._digest()}

    def _known_incident(self, state: StateView) -> str:
        known = [key.removeprefix("incident/") for key, _ in state.scan("incident/")]
        return self._rng.choice(known) if known else self._digest()

    def _contain(self, state: StateView, party: Party, now_ms: int, height: int) -> tuple[str, JsonObject]:
        scope, target = self._rng.choice(
            [("member", party.did), ("member", self._rng.choice(PARTIES).did), ("network", CHAIN), ("function", "x")]
        )
        return "incident.contain", {"incident": self._known_incident(state), "scope": scope, "target": target}

    def _close(self, state: StateView, party: Party, now_ms: int, height: int) -> tuple[str, JsonObject]:
        fined = self._rng.choice([None, None, self._rng.choice(PARTIES).did])
        fine = 0 if fined is None else self._rng.randint(1, 50)
        return "incident.close", {
            "incident": self._known_incident(state),
            "review": self._digest(),
            "fined": fined,
            "fine": fine,
        }

    def _settle(self, state: StateView, party: Party, now_ms: int, height: int) -> tuple[str, JsonObject]:
        last = state.get(SETTLED_KEY)
        if last is not None and self._rng.randrange(4):  # mostly the one that is due
            year, number = int(last["month"][:4]), int(last["month"][5:])
            return "points.settle", {"month": f"{year + number // 12:04d}-{number % 12 + 1:02d}"}
        return "points.settle", {"month": day_of(now_ms - self._rng.randint(0, 60) * DAY_MS)[:7]}

    def _apply(self, state: StateView, party: Party, now_ms: int, height: int) -> tuple[str, JsonObject]:
        return "member.apply", application()

    def _assess(self, state: StateView, party: Party, now_ms: int, height: int) -> tuple[str, JsonObject]:
        about = self._rng.choice([NEWCOMER, NEWCOMER, self._rng.choice(PARTIES)])
        return "member.assess", {
            "member": about.did,
            "kind": self._rng.choice(["institution", "technology"]),
            "report": self._digest(),
            "assessed_on": day_of(now_ms - self._rng.randint(0, 3) * DAY_MS),
            "passed": self._rng.random() < 0.9,
        }

    def _sign(self, state: StateView, party: Party, now_ms: int, height: int) -> tuple[str, JsonObject]:
        from ledger_kit import agreement_payload

        return "agreement.sign", agreement_payload()

    def _leave(self, state: StateView, party: Party, now_ms: int, height: int) -> tuple[str, JsonObject]:
        step = "finish" if self._rng.random() < 0.95 else "notice"
        return "member.leave", {"step": step, "plan": self._digest()}

    def _grant(self, state: StateView, party: Party, now_ms: int, height: int) -> tuple[str, JsonObject]:
        grants = []
        for _ in range(32):
            self._serial += 1
            seed = hashlib.sha256(f"consent {self._serial}".encode()).digest()
            rk, day = ed25519.public_key(seed), day_of(now_ms + 20 * DAY_MS)
            token = hashlib.sha256(seed).digest()
            pop = ed25519.sign(seed, grant_pop_bytes(CHAIN, cid_of(rk, day, token), party.did))
            grants.append(Grant(rk=rk, not_after=day, h=token, pop=pop).to_json())
        return "consent.grant", {"grants": grants}

    def _revoke(self, state: StateView, party: Party, now_ms: int, height: int) -> tuple[str, JsonObject]:
        known = [key.removeprefix("consent/") for key, _ in state.scan("consent/")]
        cid = self._rng.choice(known) if known else self._digest()
        return "consent.revoke", ConsentRevoke(cid=b64u_decode(cid, 32)).to_json()

    def _upgrade(self, state: StateView, party: Party, now_ms: int, height: int) -> tuple[str, JsonObject]:
        return "schema.upgrade", {"schema": self._rng.choice([2, 2, 2, 1, 3]), "height": (height // 20 + 1) * 20}

    def _winddown(self, state: StateView, party: Party, now_ms: int, height: int) -> tuple[str, JsonObject]:
        if height < 60 or self._rng.random() < 0.8:
            return self._anchor(state, party, now_ms, height)
        step = self._rng.choice(["plan", "start", "freeze", "disconnect", "close"])
        return f"network.winddown.{step}", {"document": "A" * 43, "not_before_ms": 0}

    def _voice(self, state: StateView, party: Party, now_ms: int, height: int) -> tuple[str, JsonObject]:
        return "group.voice", {"voice": self._rng.choice(PARTIES).did}

    def _enemy(self, now_ms: int) -> bytes:
        """Nothing that the machine may fall over, and nothing that it may take."""
        good = self._rng.choice(self.sent)
        draw = self._rng.randrange(7)
        if draw == 0:
            return self._rng.randbytes(self._rng.randint(0, 300))
        if draw == 1:
            place = self._rng.randrange(len(good))
            return good[:place] + bytes([good[place] ^ 1 << self._rng.randrange(8)]) + good[place + 1 :]
        if draw == 2:
            return good[: self._rng.randrange(len(good))]
        if draw == 3:
            return good.replace(CHAIN.encode(), b"other-chain", 1)
        if draw == 4:
            other = self._rng.choice(self.sent)
            half = min(len(good), len(other)) // 2
            return good[:half] + other[half:]
        if draw == 5:  # somebody signs in another's name
            body: dict[str, Any] = {"sender": self._rng.choice(PARTIES).did}
            payload = self._anchor_of_nobody()
            return STRANGER.transaction("evidence.anchor", payload, 1, now_ms=now_ms, **body).to_bytes()
        return good  # again

    def _anchor_of_nobody(self) -> JsonObject:
        return {"root_sha256": self._digest(), "root_sm3": self._digest(), "count": 1, "previous_anchor": None}
