"""Proofs as they travel: JSON that ``verify`` reads without knowing an engine (LED-6, EV-4).

The head is what signs the application hash; under which engine, its shape says.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from lianzheng.encoding.model import Bytes, Bytes32, Natural, Record, Seq
from lianzheng.errors import VerificationError
from lianzheng.ids import ChainId
from lianzheng.ledger.apphash import app_hash
from lianzheng.ledger.proofs import StatePath, verify_consistency, verify_inclusion, verify_state
from lianzheng.limits import MERKLE_PATH_MAX, SIGNER_CHANGES_MAX

__all__ = ["GrowthAnswer", "LogAnswer", "ProofAnswer", "StateAnswer"]

Path = Annotated[tuple[Bytes32, ...], Seq, Field(max_length=MERKLE_PATH_MAX)]


class _Answer(Record):
    """The parts of an application hash and the head that carries it."""

    model_config = ConfigDict(serialize_by_alias=True)

    v: Literal[1] = 1
    chain_id: ChainId
    schema_version: int = Field(alias="schema", ge=1, le=2**16)
    log_root: Bytes32
    log_size: Natural
    state_root: Bytes32
    head: dict[str, Any]
    head_chain: Annotated[tuple[dict[str, Any], ...], Seq, Field(max_length=SIGNER_CHANGES_MAX)]

    def app_hash(self) -> bytes:
        """What the head must carry."""
        return app_hash(self.schema_version, self.log_root, self.log_size, self.state_root)


class StateAnswer(_Answer):
    """What stands at ``key``; a value of null says that nothing does."""

    type: Literal["state"] = "state"
    key: Annotated[str, Field(max_length=1024)]
    value: dict[str, Any] | None
    path: StatePath

    def check(self, old_root: bytes | None = None) -> None:
        """Return only if it holds under ``state_root``. Raises ``VerificationError`` ``state_path_invalid``."""
        verify_state(self.key, self.value, self.path, self.state_root)


class LogAnswer(_Answer):
    """One entry of the evidence log."""

    type: Literal["log"] = "log"
    entry: Bytes
    index: Natural
    path: Path

    def check(self, old_root: bytes | None = None) -> None:
        """Return only if it holds under ``log_root``. Raises ``VerificationError`` ``inclusion_invalid``."""
        verify_inclusion(self.entry, self.index, self.log_size, self.path, self.log_root)


class GrowthAnswer(_Answer):
    """That the log only grew from ``old_size`` entries, whose root the verifier holds from before."""

    type: Literal["growth"] = "growth"
    old_size: Natural
    path: Annotated[tuple[Bytes32, ...], Seq, Field(max_length=2 * MERKLE_PATH_MAX)]

    def check(self, old_root: bytes | None = None) -> None:
        """Return only if it leads from ``old_root`` on. Raises ``consistency_invalid``, ``root_missing``."""
        if old_root is None:
            raise VerificationError(
                "root_missing",
                "A proof of growth says nothing without the earlier root.",
                next_step="Give the log root that you kept from an earlier proof, checkpoint or bundle.",
            )
        verify_consistency(self.old_size, self.log_size, old_root, self.log_root, self.path)


ProofAnswer = StateAnswer | LogAnswer | GrowthAnswer
