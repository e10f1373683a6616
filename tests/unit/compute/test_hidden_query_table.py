"""The table: derivation against an independent HKDF and AES, wire form, checks against the ledger, one outcome."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from compute_kit import BETA, CHAIN
from lianzheng.compute.protocols.hidden_query.entries import EntryContext, derive, open_entries, seal_value
from lianzheng.compute.protocols.hidden_query.table import Table, build_table, lookup
from lianzheng.compute.views.model import EpochRecord
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.errors import ConflictError, VerificationError

VIEW = "beta-clients/wealth/bands"
CONTEXT = EntryContext(CHAIN, BETA, VIEW, 3, bytes(range(32)))
PEOPLE = [((G1.generator() * n).to_bytes(), bytes([n % 7, 1, 0])) for n in range(2, 102)]


def record_of(table: Table, **changes: Any) -> EpochRecord:
    members = EpochRecord(
        view=VIEW,
        epoch=3,
        key_point=PEOPLE[0][0],
        salt=CONTEXT.salt,
        columns_root=table.columns_root(),
        boundaries=table.boundaries_digest(),
        parameters=table.parameters("table"),
        from_ms=0,
        until_ms=1,
        version=2,
        provider=BETA,
        status="published",
        hint=None,
        time_ms=0,
    )
    return members.model_copy(update=changes)


def test_pir_1_derivation_is_hkdf_and_one_aes_block() -> None:
    f, value = PEOPLE[5]
    info = b"lianzheng/v1/view-entry\0"
    for part in (CHAIN.encode(), BETA.encode(), VIEW.encode(), (3).to_bytes(8, "big")):
        info += len(part).to_bytes(4, "big") + part
    okm = HKDF(algorithm=SHA256(), length=48, salt=CONTEXT.salt, info=info).derive(f)
    assert derive(f, CONTEXT) == (okm[:16], okm[16:])
    cipher = Cipher(AES(okm[16:]), ECB()).encryptor()  # noqa: S305 - one block, as PIR-1 says
    assert seal_value(okm[16:], value) == cipher.update(value + bytes(5) + bytes(8)) + cipher.finalize()


def test_pir_1_nothing_carries_over_to_another_chain_provider_view_epoch_or_salt() -> None:
    others = [
        EntryContext("other", BETA, VIEW, 3, CONTEXT.salt),
        EntryContext(CHAIN, BETA[:-1], VIEW, 3, CONTEXT.salt),
        EntryContext(CHAIN, BETA, "beta-clients/experience/bands", 3, CONTEXT.salt),
        EntryContext(CHAIN, BETA, VIEW, 4, CONTEXT.salt),
        EntryContext(CHAIN, BETA, VIEW, 3, bytes(32)),
    ]
    tags = [derive(PEOPLE[0][0], context)[0] for context in (CONTEXT, *others)]
    assert len(set(tags)) == 6


def test_b20_b21_shape_and_boundaries() -> None:
    table = build_table(PEOPLE, CONTEXT)
    assert (table.parameters("table").entries, len(table.columns)) == (128, 64)
    assert table.boundaries[0] == bytes(16)
    assert list(table.boundaries) == sorted(set(table.boundaries))
    for f, _ in PEOPLE:
        tag = derive(f, CONTEXT)[0]
        column = table.columns.index(table.column_of(tag))
        assert table.boundaries[column] <= tag
        assert column + 1 == 64 or tag < table.boundaries[column + 1]


def test_b20_dummies_with_a_taken_tag_are_drawn_again() -> None:
    numbers = count()
    draws = (bytes(15) + bytes([number // 4]) for number in numbers)  # every tag is offered more than once
    table = build_table(PEOPLE[:3], CONTEXT, lambda size: next(draws))
    assert table.parameters("table").entries == len(b"".join(table.columns)) // 16 == 32


def test_two_people_of_one_element_are_refused() -> None:
    with pytest.raises(ConflictError, match="view_tag_collision"):
        build_table([PEOPLE[0], PEOPLE[0]], CONTEXT)


def test_wire_form_is_exact() -> None:
    table = build_table(PEOPLE, CONTEXT)
    data = table.to_bytes()
    assert len(data) == 64 * 16 + 128 * 16
    assert Table.from_bytes(data, record_of(table)) == table


def test_a_table_other_than_the_ledgers_is_refused() -> None:
    table = build_table(PEOPLE, CONTEXT)
    data, record = table.to_bytes(), record_of(table)
    wrong = {
        "table_length": [data[:-1], data + b"\0", b""],
        "table_boundaries": [bytes([1]) + data[1:], data[:1023] + bytes([data[1023] ^ 1]) + data[1024:]],
        "table_columns": [
            data[:-1] + bytes([data[-1] ^ 1]),
            data[:1024] + data[1040:1056] + data[1024:1040] + data[1056:],
        ],
    }
    for code, cases in wrong.items():
        for case in cases:
            with pytest.raises(VerificationError) as refused:
                Table.from_bytes(case, record)
            assert refused.value.code == code


def test_b20_boundaries_out_of_order_are_refused_even_if_committed() -> None:
    good = build_table(PEOPLE, CONTEXT)
    for boundaries in (good.boundaries[::-1], (good.boundaries[1], *good.boundaries[1:]), (bytes([9]) * 16,) * 64):
        bad = Table(boundaries, good.columns)
        with pytest.raises(VerificationError, match="table_boundaries"):
            Table.from_bytes(bad.to_bytes(), record_of(bad))


def test_pir_5_absent_damaged_twice_and_out_of_range_are_one_outcome() -> None:
    f, value = PEOPLE[0]
    _, key = derive(f, CONTEXT)
    entry = seal_value(key, value)
    assert open_entries(key, bytes(16) + entry + bytes(16), VIEW) == value
    assert open_entries(key, bytes(48), VIEW) is None
    assert open_entries(key, b"", VIEW) is None
    assert open_entries(key, entry[:-1], VIEW) is None
    assert open_entries(key, entry[:-1] + bytes([entry[-1] ^ 1]), VIEW) is None
    assert open_entries(key, entry + entry, VIEW) is None
    assert open_entries(key, seal_value(key, b"\0\0\0"), VIEW) is None
    assert open_entries(key, seal_value(key, b"\xff\0\0"), VIEW) is None
    assert open_entries(key, seal_value(key, b"\1\1\1\1"), VIEW) is None
    table = build_table(PEOPLE, CONTEXT)
    assert lookup(G1.generator() * 500, table, CONTEXT) is None
