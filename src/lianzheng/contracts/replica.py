"""State, evidence log and their committed versions: everything of the machine that is not rules (LED-5..9)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from lianzheng.contracts.genesis import genesis_writes
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import NotFoundError, RefusedError, VerificationError
from lianzheng.governance.members import StateMembers
from lianzheng.governance.model import NETWORK_KEY
from lianzheng.governance.schema import begin_block
from lianzheng.ledger.apphash import app_hash
from lianzheng.ledger.context import StateView
from lianzheng.ledger.delta import Delta
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.merkle import MerkleTree
from lianzheng.ledger.ports import Roots
from lianzheng.ledger.proofs import StatePath
from lianzheng.ledger.snapshot import Snapshot, SnapshotManifest, read_snapshot
from lianzheng.ledger.sparse import Node, path_of
from lianzheng.ledger.state import MemoryState
from lianzheng.limits import PROVABLE_HEIGHTS

__all__ = ["Replica"]


class Replica:
    """What every node has alike: a working state, and the last committed ones as far as proofs need them."""

    def __init__(self, genesis: Genesis) -> None:
        self._genesis = genesis
        self._versions: deque[tuple[Roots, Node]] = deque(maxlen=PROVABLE_HEIGHTS + 1)
        self._reset()

    def reset(self) -> None:
        """As at genesis: for an engine that rebuilds from its blocks."""
        self._reset()
        self._schema_changed()

    def _reset(self) -> None:
        genesis = self._genesis
        self._state = MemoryState(genesis.schema_version)
        self._state.apply(genesis_writes(genesis))
        self._members = StateMembers(self._state)
        self._log = MerkleTree("sha256")
        self._log_entries: list[bytes] = []
        self._height = 0
        self._time_ms = genesis.time_ms
        self._versions.clear()
        self.commit()

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
        """Version of the rules and the state tree, as of the block in flight (LED-7)."""
        return self._state.schema

    @property
    def entries(self) -> int:
        """Number of state entries."""
        return len(self._state)

    @property
    def log(self) -> MerkleTree:
        """The evidence log (LED-6)."""
        return self._log

    def log_entry(self, index: int) -> bytes:
        """One entry of the evidence log; the caller knows that it exists."""
        return self._log_entries[index]

    def app_hash(self) -> bytes:
        """Hash over schema, evidence log and working state (LED-5, B29)."""
        return app_hash(self.schema, self._log.root(), self._log.size, self._state.root())

    def commit(self) -> None:
        """The block in flight is durable: what stands now is what proofs and snapshots are of."""
        root = self._state.root()
        self._state.commit()
        self._committed_ms = self._time_ms
        roots = Roots(self._height, self.schema, self._log.root(), self._log.size, root)
        self._versions.append((roots, self._state.tree()))

    def roots(self, height: int | None = None) -> Roots:
        """Parts of the application hash after a committed block. Raises ``NotFoundError`` ``height_not_provable``."""
        return self._version(height)[0]

    def state_path(self, key: str, height: int | None = None) -> tuple[JsonObject | None, StatePath]:
        """Value and path under ``roots(height).state_root``.

        Raises ``NotFoundError`` ``height_not_provable``; ``RefusedError`` ``schema_without_proofs`` under schema 1.
        """
        roots, node = self._version(height)
        if roots.schema == 1:
            raise RefusedError(
                "schema_without_proofs",
                "Under schema 1 single entries of the state cannot be proven.",
                next_step="Move for schema.upgrade: from schema 2 on every entry, and its absence, has a proof.",
            )
        return path_of(node, key)

    def delta(self) -> Delta:
        """All that the block in flight changes (LED-9)."""
        size = self._versions[-1][0].log_size
        return Delta(self._height, self._time_ms, self._state.changes(), tuple(self._log_entries[size:]))

    def apply_delta(self, delta: Delta) -> None:
        """As executing the block again, without its transactions; the caller compares the application hash."""
        self._state.apply(delta.writes)
        self._follow_schema()
        self._append_log(delta.log)
        self._height, self._time_ms = delta.height, delta.time_ms

    def snapshot(self) -> Snapshot:
        """The committed state and log, fixed at once; its chunks may be made later, in any thread (LED-8)."""
        roots = self._versions[-1][0]
        return Snapshot(
            chain_id=self._genesis.chain_id,
            height=roots.height,
            time_ms=self._committed_ms,
            schema=roots.schema,
            app_hash=roots.app_hash,
            log=self._log_entries[: roots.log_size],
            state=self._state.copy(),
        )

    def restore(
        self,
        manifest: SnapshotManifest,
        chunks: Iterable[bytes],
        accept: Callable[[StateView], None] | None = None,
    ) -> None:
        """Take over a snapshot in place of everything here; nothing changes if it is refused (LED-8).

        ``accept`` sees the state once its root is right, and refuses it by what it raises.

        Raises ``VerificationError`` ``snapshot_foreign``, ``snapshot_chunk_invalid``, ``snapshot_root_mismatch``;
        ``FormatError`` ``snapshot_invalid``.
        """
        if manifest.chain_id != self._genesis.chain_id:
            raise VerificationError("snapshot_foreign", "A snapshot is of another network.")
        entries, values = read_snapshot(manifest, chunks)
        state, log = MemoryState.load(manifest.schema_version, values), MerkleTree("sha256")
        log.extend(entries)
        if app_hash(manifest.schema_version, log.root(), log.size, state.root()) != manifest.app_hash:
            raise VerificationError(
                "snapshot_root_mismatch",
                "What a snapshot holds does not have the application hash that it names.",
                next_step="Fetch a snapshot from another node.",
            )
        if accept is not None:
            accept(state)
        self._state, self._log, self._log_entries = state, log, entries
        self._members = StateMembers(state)
        self._height, self._time_ms = manifest.height, manifest.time_ms
        self._versions.clear()
        self._schema_changed()
        self.commit()

    def _begin_block(self, height: int) -> None:
        """What comes before the first transaction of a block: a schema that was voted for takes over (LED-7)."""
        self._state.apply(begin_block(self._state, height))
        self._follow_schema()

    def _follow_schema(self) -> None:
        network = self._state.get(NETWORK_KEY)
        schema = self.schema if network is None else int(network["schema"])
        if schema != self.schema:
            self._state.upgrade(schema)
            self._schema_changed()

    def _schema_changed(self) -> None:
        """For whoever keeps something that depends on the schema."""

    def _append_log(self, entries: Iterable[bytes]) -> None:
        for entry in entries:
            self._log.append(entry)
            self._log_entries.append(bytes(memoryview(entry)))  # an encoder's bytes hold on to its whole buffer

    def _version(self, height: int | None) -> tuple[Roots, Node]:
        newest = self._versions[-1]
        index = len(self._versions) - 1 - (0 if height is None else newest[0].height - height)
        if not 0 <= index < len(self._versions):
            raise NotFoundError(
                "height_not_provable",
                f"Proofs are made for the head and the {PROVABLE_HEIGHTS} heights before it.",
                next_step="Ask without a height, for the newest head.",
            )
        return self._versions[index]
