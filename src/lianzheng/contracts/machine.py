"""The replicated state machine: one transaction in, one result out, the same at every node (LED-1, LED-4)."""

from __future__ import annotations

from collections.abc import Sequence

from lianzheng.contracts.authentication import Authenticator, Envelope, check_expiry
from lianzheng.contracts.genesis import genesis_writes
from lianzheng.contracts.nonces import use_nonce
from lianzheng.contracts.permissions import PERMISSIONS, Permissions, check_permission
from lianzheng.contracts.registry import ALL_RULES, index_rules
from lianzheng.encoding.canonical import JsonObject, encode
from lianzheng.errors import FormatError, LianzhengError
from lianzheng.governance.members import StateMembers
from lianzheng.governance.model import NETWORK_KEY
from lianzheng.ledger.apphash import app_hash
from lianzheng.ledger.context import BlockContext, Effects, RuleSpec, Sender, StateView
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.merkle import MerkleTree
from lianzheng.ledger.ports import TxResult
from lianzheng.ledger.state import MemoryState

__all__ = ["Machine"]

_DEFECTS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What a defect in a rule raises, the same at every node. A full disk or memory (OSError, MemoryError) is not
among them: it strikes one node only, and must stop that node rather than become a result."""

_NonceWrite = tuple[tuple[str, JsonObject | None], ...]


class Machine:
    """``Application`` over a genesis: state, evidence log, and the rules that change them."""

    def __init__(
        self,
        genesis: Genesis,
        rules: Sequence[RuleSpec] = ALL_RULES,
        permissions: Permissions = PERMISSIONS,
    ) -> None:
        self._genesis = genesis
        self._permissions = permissions
        self._rules = index_rules(rules, permissions)
        self._authenticator = Authenticator(genesis.chain_id, self._rules)
        self._state = MemoryState()
        self._state.apply(genesis_writes(genesis))
        self._state.commit()
        self._members = StateMembers(self._state)
        self._log = MerkleTree("sha256")
        self._log_entries: list[bytes] = []
        self._height = 0
        self._time_ms = genesis.time_ms

    @property
    def state(self) -> StateView:
        """The working state: what the next transaction will see."""
        return self._state

    @property
    def committed_state(self) -> StateView:
        """State as of the last :meth:`commit`."""
        return self._state.committed()

    @property
    def height(self) -> int:
        """Height of the last executed block."""
        return self._height

    @property
    def schema(self) -> int:
        """Version of the rules and the state tree (LED-7)."""
        return self._genesis.schema_version

    @property
    def log(self) -> MerkleTree:
        """The evidence log (LED-6)."""
        return self._log

    def log_entry(self, index: int) -> bytes:
        """One entry of the evidence log; the caller knows that it exists."""
        return self._log_entries[index]

    def state_root(self) -> bytes:
        """Root of the working state (B30)."""
        return self._state.root()

    def app_hash(self) -> bytes:
        """Hash over schema, evidence log and state (LED-5, B29)."""
        return app_hash(self.schema, self._log.root(), self._log.size, self._state.root())

    def snapshot(self) -> list[bytes]:
        """The ordered dump of the state in chunks (LED-8)."""
        return list(self._state.snapshot())

    def commit(self) -> None:
        """The block in flight is durable."""
        self._state.commit()

    def check(self, transaction: bytes, time_ms: int) -> TxResult:
        """What a block now would say before the rule; for kinds without a nonce, the rule's word too (AUTH-4)."""
        try:
            block = self._context(self._height + 1, max(time_ms, self._time_ms + 1))
            envelope, sender, nonce = self._admit(transaction, block)
            if not nonce:
                self._run(envelope, sender, block)
        except LianzhengError as error:
            return TxResult(error.code, final=False)
        except _DEFECTS:
            return TxResult("internal_refusal", final=False)
        return TxResult("ok", final=False)

    def execute_block(self, height: int, time_ms: int, transactions: list[bytes]) -> list[TxResult]:
        """Apply the transactions in order. Never raises on any transaction bytes (LED-4)."""
        results = [self.apply(transaction, height, time_ms) for transaction in transactions]
        self._height, self._time_ms = height, time_ms
        return results

    def apply(self, transaction: bytes, height: int, time_ms: int) -> TxResult:
        """All effects, or none (LED-4).

        A refusal before authentication changes nothing; one after it uses the nonce and nothing else.
        """
        block = self._context(height, time_ms)
        try:
            envelope, sender, nonce = self._admit(transaction, block)
        except LianzhengError as error:
            return TxResult(error.code, final=False)
        except _DEFECTS:
            return TxResult("internal_refusal", final=False)
        finally:
            self._authenticator.forget(transaction)
        try:
            effects = self._run(envelope, sender, block)
            self._state.apply((*nonce, *effects.writes))
        except LianzhengError as error:
            code = error.code
        except _DEFECTS:
            code = "internal_refusal"
        else:
            for entry in effects.log:
                self._log.append(entry)
                self._log_entries.append(entry)
            return TxResult("ok", effects.data, events=effects.events, origin=envelope.origin)
        self._state.apply(nonce)
        return TxResult(code, final=bool(nonce), origin=envelope.origin)

    def _admit(self, data: bytes, block: BlockContext) -> tuple[Envelope, Sender, _NonceWrite]:
        """Everything up to authentication and the nonce, in the order of LED-4."""
        envelope = self._authenticator.open(data)
        sender = self._authenticator.authenticate(self._state, data, envelope)
        body = envelope.transaction.body
        check_expiry(body.expires_at, block.time_ms)
        if body.nonce is None:
            return envelope, sender, ()
        return envelope, sender, (use_nonce(self._state, body.sender, body.key_id, body.nonce),)

    def _run(self, envelope: Envelope, sender: Sender, block: BlockContext) -> Effects:
        """Permission, then the one rule of the kind; effects are known to be encodable."""
        kind = envelope.spec.kind
        network = self._state.get(NETWORK_KEY)
        member = self._members.get(sender.name) if sender.role == "member" else None
        check_permission(
            self._permissions,
            kind,
            sender.role,
            "" if network is None else network["phase"],
            None if member is None else member.phase,
        )
        effects = envelope.spec.rule(self._state, sender, envelope.payload, envelope.transaction.body, block)
        encode(effects.data)
        if any(type(entry) is not bytes for entry in effects.log):
            raise FormatError("log_entry_invalid", "A rule gave a log entry that is not bytes.")
        return effects

    def _context(self, height: int, time_ms: int) -> BlockContext:
        return BlockContext(
            chain_id=self._genesis.chain_id,
            height=height,
            time_ms=time_ms,
            genesis_time_ms=self._genesis.time_ms,
            members=self._members,
            log_size=self._log.size,
        )
