"""PIR-3: the plain reference, the downloaded table and the private retrieval give equal answers for every key."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from compute_kit import BETA, CHAIN
from lianzheng.compute.protocols.hidden_query.entries import EntryContext, derive, open_entries
from lianzheng.compute.protocols.hidden_query.reference import PlainReference
from lianzheng.compute.protocols.hidden_query.table import Table, build_table, column_number, lookup
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.registry import BUNDLES, FORMS, INDICATORS, check_view, view_value
from lianzheng.zk.lwe import scheme

ELEMENTS = [G1.generator() * n for n in range(2, 202)]


def is_view(bundle: str, form: str) -> bool:
    indicator = FORMS[form].indicator
    return indicator is None or indicator in BUNDLES[bundle].indicators


VIEWS = [(bundle, form) for bundle in BUNDLES for form in FORMS if is_view(bundle, form)]


class Private:
    """The table behind private retrieval."""

    def __init__(self, table: Table, context: EntryContext, seed: bytes) -> None:
        self.boundaries, self.context = table.boundaries, context
        self.database = scheme.Database.from_columns(table.columns)
        self.hint = scheme.hint(self.database, seed)
        self.matrix = scheme.Matrix(seed, len(table.columns))

    def lookup(self, f: bytes) -> bytes | None:
        tag, key = derive(f, self.context)
        state, vector = scheme.query(column_number(self.boundaries, tag), self.matrix)
        column = scheme.decode(state, self.hint, scheme.answer(self.database, vector))
        return open_entries(key, column, self.context.view)


@settings(max_examples=60, deadline=None)
@given(view=st.sampled_from(VIEWS), size=st.integers(0, 150), seed=st.integers(0, 2**64))
def test_pir_3_plain_table_and_pir_agree(view: tuple[str, str], size: int, seed: int) -> None:
    bundle, form = view
    rng = Random(seed)
    indicators, _ = check_view(bundle, form)
    values: dict[bytes, bytes] = {}
    for element in rng.sample(ELEMENTS, size):
        bands = {code: rng.randrange(len(INDICATORS[code].lowers)) for code in indicators}
        value = view_value(bundle, form, bands)
        if value is not None:
            values[element.to_bytes()] = value
    context = EntryContext(CHAIN, BETA, f"set/{bundle}/{form}", 1, rng.randbytes(32))
    reference, table = PlainReference(values), build_table(values.items(), context)
    private = Private(table, context, rng.randbytes(32))
    for element in ELEMENTS:
        expected = reference.lookup(element.to_bytes())
        assert lookup(element, table, context) == expected
        assert private.lookup(element.to_bytes()) == expected
