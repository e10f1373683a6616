"""Sources for tests: rows, files, and customers put on record without a file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from lianzheng.adapters.sources.fields import COLUMNS
from lianzheng.adapters.storage.compute import DatasetRepository
from lianzheng.adapters.storage.database import Database
from lianzheng.adapters.storage.suitability import SqlCustomerStore
from lianzheng.compute.ports import StoredPerson
from lianzheng.flows.clients import ClientBook
from lianzheng.identity.idnorm import make_sample_number
from lianzheng.suitability.customers import CustomerRecord

DAY = "2026-07-01"


def row(serial: int = 1, **changes: str) -> dict[str, str]:
    """A good row of a person of its own."""
    good = {
        "document_type": "RESIDENT_ID",
        "country": "CN",
        "number": make_sample_number(serial, "1980-05-20", "male"),
        "name": "张样本",
        "birth_date": "1980-05-20",
        "opened_on": "2024-06-30",
        "financial_assets_yuan": "123456",
        "leverage_percent": "60",
        "products_traded": "bonds+shares",
        "margin_calls_24m": "1",
        "worst_loss_percent": "",
        "concentration_percent": "80",
        "turnover_percent": "",
        "default": "0",
    }
    return good | changes


def write(path: Path, rows: Iterable[dict[str, str]], header: Sequence[str] = COLUMNS, encoding: str = "utf-8") -> Path:
    """A CSV file of these rows."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([one[name] for name in COLUMNS] for one in rows)
    return path


async def keep_customers(database: Database, book: ClientBook, dataset: str, records: Sequence[CustomerRecord]) -> None:
    """The customers of ``dataset`` are these, as after a load; nothing is computed."""
    rows, customers = DatasetRepository(database), SqlCustomerStore(database)
    snapshot = await rows.begin_load(dataset, DAY)
    await rows.add_people(snapshot, [StoredPerson(one.idnorm, bytes(48), {}) for one in records])
    await customers.add_customers(snapshot, [(book.reference_of(one.idnorm), one) for one in records])
    await rows.finish_load(snapshot, 0)
    await rows.purge()
