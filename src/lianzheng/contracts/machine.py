"""The replicated state machine: one transaction in, one result out, the same at every node (LED-1, LED-4)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from lianzheng.contracts.activity import activity_of
from lianzheng.contracts.authentication import Authenticator, Envelope, check_expiry
from lianzheng.contracts.nonces import use_nonce
from lianzheng.contracts.permissions import PERMISSIONS, Permissions, check_permission
from lianzheng.contracts.registry import ALL_RULES, index_rules, rules_of
from lianzheng.contracts.replica import Replica
from lianzheng.encoding.canonical import JsonObject, encode
from lianzheng.errors import FormatError, LianzhengError
from lianzheng.governance.members import StateMembers
from lianzheng.governance.model import NETWORK_KEY
from lianzheng.ledger.context import BlockContext, Effects, RuleSpec, Sender, StateView
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.ports import TxResult

__all__ = ["Machine"]

_DEFECTS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What a defect in a rule raises, the same at every node. A full disk or memory (OSError, MemoryError) is not
among them: it strikes one node only, and must stop that node rather than become a result."""

_NonceWrite = tuple[tuple[str, JsonObject | None], ...]


class Machine(Replica):
    """``Application`` over a genesis: state, evidence log, and the rules that change them."""

    def __init__(
        self,
        genesis: Genesis,
        rules: Sequence[RuleSpec] = ALL_RULES,
        permissions: Permissions = PERMISSIONS,
    ) -> None:
        super().__init__(genesis)
        self._permissions = permissions
        self._all_rules = rules
        self._schema_changed()

    def check(self, transaction: bytes, time_ms: int) -> TxResult:
        """What a block now would say before the rule; for kinds without a nonce, the rule's word too (AUTH-4).

        Looks at the committed state: a block in flight may hold this very transaction, sent again by someone who
        waits for its receipt, and "nonce_used" would be the wrong word for it.
        """
        state = self.committed_state
        members = StateMembers(state)
        try:
            block = self._context(self._height + 1, max(time_ms, self._time_ms + 1), state, members)
            envelope, sender, nonce = self._admit(transaction, block, state)
            if not nonce:
                self._run(envelope, sender, block, state, members)
        except LianzhengError as error:
            return TxResult(error.code, final=False)
        except _DEFECTS:
            return TxResult("internal_refusal", final=False)
        return TxResult("ok", final=False)

    def execute_block(self, height: int, time_ms: int, transactions: list[bytes]) -> list[TxResult]:
        """Apply the transactions in order. Never raises on any transaction bytes (LED-4)."""
        self._begin_block(height)
        results = [self.apply(transaction, height, time_ms) for transaction in transactions]
        self._height, self._time_ms = height, time_ms
        return results

    def apply(self, transaction: bytes, height: int, time_ms: int) -> TxResult:
        """All effects, or none (LED-4).

        A refusal before authentication changes nothing; one after it uses the nonce and nothing else.
        """
        state = self._state
        block = self._context(height, time_ms, state, self._members)
        try:
            envelope, sender, nonce = self._admit(transaction, block, state)
        except LianzhengError as error:
            return TxResult(error.code, final=False)
        except _DEFECTS:
            return TxResult("internal_refusal", final=False)
        finally:
            self._authenticator.forget(transaction)
        try:
            effects = self._run(envelope, sender, block, state, self._members)
            state.apply((*nonce, *effects.writes))
        except LianzhengError as error:
            code = error.code
        except _DEFECTS:
            code = "internal_refusal"
        else:
            self._append_log(effects.log)
            return TxResult("ok", effects.data, events=effects.events, origin=envelope.origin)
        state.apply(nonce)
        return TxResult(code, final=bool(nonce), origin=envelope.origin)

    def _schema_changed(self) -> None:
        """The rules of the schema in force; what was read under others is read again (LED-7)."""
        self._rules = index_rules(rules_of(self.schema, self._all_rules), self._permissions)
        self._authenticator = Authenticator(self._genesis.chain_id, self._rules, self.schema)

    def _admit(self, data: bytes, block: BlockContext, state: StateView) -> tuple[Envelope, Sender, _NonceWrite]:
        """Everything up to authentication and the nonce, in the order of LED-4."""
        envelope = self._authenticator.open(data)
        sender = self._authenticator.authenticate(state, data, envelope)
        body = envelope.transaction.body
        check_expiry(body.expires_at, block.time_ms)
        if body.nonce is None:
            return envelope, sender, ()
        return envelope, sender, (use_nonce(state, body.sender, body.key_id, body.nonce),)

    def _run(
        self, envelope: Envelope, sender: Sender, block: BlockContext, state: StateView, members: StateMembers
    ) -> Effects:
        """Permission, then the one rule of the kind; effects are known to be encodable."""
        kind = envelope.spec.kind
        network = state.get(NETWORK_KEY)
        member = members.get(sender.name) if sender.role == "member" else None
        check_permission(
            self._permissions,
            kind,
            sender.role,
            "" if network is None else network["phase"],
            None if member is None else member.phase,
        )
        effects = envelope.spec.rule(state, sender, envelope.payload, envelope.transaction.body, block)
        encode(effects.data)
        if any(type(entry) is not bytes for entry in effects.log):
            raise FormatError("log_entry_invalid", "A rule gave a log entry that is not bytes.")
        return effects

    def _context(self, height: int, time_ms: int, state: StateView, members: StateMembers) -> BlockContext:
        return BlockContext(
            chain_id=self._genesis.chain_id,
            height=height,
            time_ms=time_ms,
            genesis_time_ms=self._genesis.time_ms,
            members=members,
            log_size=self._log.size,
            activity=partial(activity_of, state, members, time_ms),
        )
