"""What every node of one network starts from; its digest names the network (``ledger.md``, embedded)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from lianzheng.crypto.digest import sha256
from lianzheng.encoding.model import Bytes, Bytes32, Natural, Record, Seq, Text, TimeMs
from lianzheng.errors import ConfigError
from lianzheng.ids import ChainId, Did
from lianzheng.ledger.block import Multikey
from lianzheng.limits import SCHEMA_MAX

__all__ = ["Endpoint", "Genesis", "GenesisMember", "MemberFields", "Sequencer", "Texts", "genesis_digest"]

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Endpoint = Annotated[str, StringConstraints(pattern=r"^https://[A-Za-z0-9.\[\]:_-]{1,200}(/[A-Za-z0-9._/-]*)?$")]
Texts = Annotated[tuple[Text, ...], Seq, Field(max_length=32)]


class MemberFields(Record):
    """What is said of a member in genesis and in its record; ``endpoint`` null stands for "no node"."""

    name: Text
    type: Word
    uscc: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{18}$")]
    address: Text
    licences: Texts
    pilot_licences: Texts
    filing_state: Word
    control_group: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    endpoint: Endpoint | None
    certificate: Annotated[Bytes, Field(min_length=1, max_length=8192)]
    """DER of the peer certificate."""
    roles: Annotated[tuple[Word, ...], Seq, Field(max_length=16)]


class GenesisMember(MemberFields):
    """A founder; ``did_operation`` is its DID's creation operation."""

    did_operation: dict[str, Any]


class Sequencer(Record):
    """Who orders transactions under the embedded engine, and the key of the first head."""

    did: Did
    key: Multikey


class Genesis(Record):
    """Chain id, schema, founders, parameters, digests of registry and agreement, sequencer."""

    model_config = ConfigDict(serialize_by_alias=True)

    v: Literal[1] = 1
    chain_id: ChainId
    schema_version: int = Field(default=1, alias="schema", ge=1, le=SCHEMA_MAX)
    time_ms: TimeMs
    registry: Bytes32
    parameters: dict[Word, Natural]
    agreement: Bytes32
    members: Annotated[tuple[GenesisMember, ...], Seq, Field(min_length=1, max_length=256)]
    ordering: Sequencer | None = Field(alias="sequencer")
    """Null under CometBFT: there every founder with a ``#validator`` key orders."""

    @property
    def sequencer(self) -> Sequencer:
        """Who orders under the embedded engine. Raises ``ConfigError`` ``genesis_without_sequencer``."""
        if self.ordering is None:
            raise ConfigError(
                "genesis_without_sequencer",
                "This network's genesis names no sequencer: it is ordered by CometBFT.",
                next_step='Set engine = "cometbft" under [ledger] in node.toml.',
            )
        return self.ordering


def genesis_digest(genesis: Genesis) -> bytes:
    """32 bytes naming the network: SHA-256(tag ``genesis`` ‖ JCS(genesis))."""
    return sha256("genesis", genesis.to_bytes())
