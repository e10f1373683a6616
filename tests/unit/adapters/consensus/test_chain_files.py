"""A node's folder outlives the program: tables and files of both engines are those of every earlier version.

What stands in ``_TABLES`` is what recorded databases hold. A change here is a change of format, and needs a step that
carries existing folders over.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lianzheng.adapters.consensus.cometbft.store import AppliedBlock, ChainStore
from lianzheng.adapters.consensus.embedded.store import BlockRow, BlockStore
from lianzheng.errors import ConfigError

GENESIS = b"g" * 32
HEAD = b"h" * 32
TX = b"t" * 32

_TABLES = {
    "embedded": {
        "blocks": "(height INTEGER PRIMARY KEY, block BLOB NOT NULL, events BLOB NOT NULL)",
        "deltas": "(height INTEGER PRIMARY KEY, delta BLOB NOT NULL)",
        "genesis": "(digest BLOB NOT NULL)",
        "transactions": "(tx_id BLOB PRIMARY KEY, height INTEGER NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID",
    },
    "cometbft": {
        "base": "(height INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, hash BLOB NOT NULL, app_hash BLOB NOT NULL)",
        "blocks": "(height INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, hash BLOB NOT NULL, app_hash BLOB NOT NULL,"
        " transactions BLOB NOT NULL, results BLOB NOT NULL, events BLOB NOT NULL)",
        "double_votes": "(address BLOB NOT NULL, height INTEGER NOT NULL, PRIMARY KEY (address, height)) WITHOUT ROWID",
        "genesis": "(digest BLOB NOT NULL)",
        "signer_changes": "(height INTEGER PRIMARY KEY, head BLOB)",
        "transactions": "(tx_id BLOB PRIMARY KEY, height INTEGER NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID",
    },
}


def make_folder(folder: Path, engine: str) -> Path:
    """A database and a height file as an earlier version left them, written here by hand; the database."""
    database = folder / "ledger.db"
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    for name, columns in _TABLES[engine].items():
        connection.execute(f"CREATE TABLE {name} {columns}")
    connection.execute("INSERT INTO genesis VALUES (?)", (GENESIS,))
    connection.execute("INSERT INTO transactions VALUES (?, 1, 3)", (TX,))
    if engine == "embedded":
        connection.execute("INSERT INTO blocks VALUES (1, x'b1', x'e1')")
        connection.execute("INSERT INTO deltas VALUES (1, x'd1')")
    else:
        connection.execute("INSERT INTO blocks VALUES (1, 7, ?, x'aa', x'000000025454', x'5b5d', x'5b5d')", (HEAD,))
        connection.execute("INSERT INTO double_votes VALUES (x'cc', 1)")
        connection.execute("INSERT INTO signer_changes VALUES (2, NULL)")
    connection.commit()
    connection.close()
    (folder / "height").write_text(f"{1:020d} {HEAD.hex()}\n")
    return database


def tables_of(database: Path) -> dict[str, str]:
    """What the database says of its tables, white space aside."""
    connection = sqlite3.connect(database)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    connection.close()
    found = {}
    for name, sql in rows:
        columns = " ".join(sql.split()).removeprefix(f"CREATE TABLE {name} ")
        found[name] = columns.replace("( ", "(").replace(" )", ")")
    return found


async def test_the_tables_of_the_embedded_engine(tmp_path: Path) -> None:
    store = BlockStore(tmp_path / "data" / "ledger.db", tmp_path / "data" / "height")
    await store.open(GENESIS)
    assert store.served is None
    await store.append(BlockRow(1, HEAD, b"block", b"events", b"delta", [(TX, 3)]))
    await store.close()
    assert tables_of(tmp_path / "data" / "ledger.db") == _TABLES["embedded"]
    assert (tmp_path / "data" / "height").read_text() == f"{1:020d} {HEAD.hex()}\n"


async def test_the_tables_of_the_engine_under_cometbft(tmp_path: Path) -> None:
    store = ChainStore(tmp_path / "data" / "ledger.db", tmp_path / "data" / "height")
    await store.open(GENESIS)
    assert store.served is None
    await store.append(AppliedBlock(1, 7, HEAD, b"\xaa", b"", b"[]", b"[]"), [(TX, 3)], signers=True)
    await store.close()
    assert tables_of(tmp_path / "data" / "ledger.db") == _TABLES["cometbft"]
    assert (tmp_path / "data" / "height").read_text() == f"{1:020d} {HEAD.hex()}\n"


async def test_an_earlier_folder_of_the_embedded_engine_opens_and_grows(tmp_path: Path) -> None:
    database = make_folder(tmp_path, "embedded")
    store = BlockStore(database, tmp_path / "height")
    await store.open(GENESIS)
    assert store.served == (1, HEAD)
    assert list(store.blocks_above(0)) == [(b"\xb1", b"\xd1")]
    assert (store.events(1), store.find(TX), store.lowest()) == (b"\xe1", (1, 3), 1)
    await store.append(BlockRow(2, b"i" * 32, b"\xb2", b"\xe2", b"\xd2", [(TX, 0), (b"u" * 32, 1)]))
    await store.forget_deltas(1)
    assert list(store.blocks_above(0)) == [(b"\xb1", None), (b"\xb2", b"\xd2")]
    assert (store.find(TX), store.find(b"u" * 32)) == ((1, 3), (2, 1))  # the first place of a transaction stands
    await store.close()
    assert (tmp_path / "height").read_text() == f"{2:020d} {(b'i' * 32).hex()}\n"


async def test_an_earlier_folder_under_cometbft_opens_and_grows(tmp_path: Path) -> None:
    database = make_folder(tmp_path, "cometbft")
    store = ChainStore(database, tmp_path / "height")
    await store.open(GENESIS)
    assert store.served == (1, HEAD)
    first = AppliedBlock(1, 7, HEAD, b"\xaa", b"\0\0\0\2TT", b"[]", b"[]")
    assert (store.block(1), first.wire_transactions(), store.base()) == (first, [b"TT"], None)
    assert (store.find(TX), store.double_votes(), store.signer_changes()) == ((1, 3), [(b"\xcc", 1, 1)], [(2, None)])
    await store.append(AppliedBlock(2, 8, b"i" * 32, b"\xab", b"", b"[]", b"[]"), [(TX, 0), (b"u" * 32, 1)], False)
    await store.keep_double_votes([(b"\xcc", 1), (b"\xcc", 2)])
    await store.keep_signer_change(2, b"head")
    await store.prune(2)
    pruned = store.block(1)
    assert pruned is not None
    assert (pruned.pruned, pruned.results, pruned.hash) == (True, b"[]", HEAD)
    assert (store.find(TX), store.find(b"u" * 32)) == ((1, 3), (2, 1))
    assert (store.double_votes(), store.signer_changes()) == ([(b"\xcc", 2, 2)], [(2, b"head")])
    await store.close()
    assert (tmp_path / "height").read_text() == f"{2:020d} {(b'i' * 32).hex()}\n"


async def test_what_cannot_be_written_whole_leaves_nothing(tmp_path: Path) -> None:
    """A second block of one height is refused by the database: neither its transactions nor its height stay."""
    blocks = BlockStore(make_folder(tmp_path, "embedded"), tmp_path / "height")
    await blocks.open(GENESIS)
    with pytest.raises(sqlite3.IntegrityError):
        await blocks.append(BlockRow(1, b"j" * 32, b"\xb9", b"\xe9", b"\xd9", [(b"v" * 32, 0)]))
    assert (blocks.find(b"v" * 32), blocks.events(1)) == (None, b"\xe1")
    await blocks.append(BlockRow(2, b"i" * 32, b"\xb2", b"\xe2", b"\xd2", []))  # no transaction was left open
    await blocks.close()
    (tmp_path / "comet").mkdir()
    chain = ChainStore(make_folder(tmp_path / "comet", "cometbft"), tmp_path / "comet" / "height")
    await chain.open(GENESIS)
    with pytest.raises(sqlite3.IntegrityError):  # two changes of signers at one height
        await chain.set_base(AppliedBlock(9, 9, b"j" * 32, b"\xaa", b"", b"[]", b"[]"), [(3, b"one"), (3, b"two")])
    assert (chain.base(), chain.signer_changes()) == (None, [(2, None)])
    await chain.close()
    assert (tmp_path / "comet" / "height").read_text() == f"{1:020d} {HEAD.hex()}\n"


@pytest.mark.parametrize("engine", ["embedded", "cometbft"])
async def test_another_networks_folder_is_refused(tmp_path: Path, engine: str) -> None:
    database = make_folder(tmp_path, engine)
    kind = BlockStore if engine == "embedded" else ChainStore
    with pytest.raises(ConfigError) as refusal:
        await kind(database, tmp_path / "height").open(b"other" + bytes(27))
    assert refusal.value.code == "genesis_mismatch"
