"""A dataset as the ledger knows it: owner, views, purposes; no row and no count of rows.

State: ``dataset/<dataset id>`` → :class:`DatasetRecord`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from lianzheng.compute.model import Code, DatasetId, Positive
from lianzheng.encoding.model import Day, Record, Seq, TimeMs
from lianzheng.errors import NotFoundError
from lianzheng.ids import Did, ViewId
from lianzheng.ledger.context import StateView
from lianzheng.limits import DATASET_VIEWS_MAX

__all__ = ["DatasetPublish", "DatasetRecord", "DatasetWithdraw", "dataset_key", "dataset_record"]

Title = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Codes = Annotated[tuple[Code, ...], Seq, Field(min_length=1, max_length=32)]
Views = Annotated[tuple[ViewId, ...], Seq, Field(min_length=1, max_length=DATASET_VIEWS_MAX)]
Issuers = Annotated[tuple[Did, ...], Seq, Field(min_length=1, max_length=140)]


class _Offer(Record):
    dataset: DatasetId
    title: Title
    as_of: Day
    """Day of the data."""
    views: Views
    """Sorted; each lies in this dataset."""
    purposes: Codes
    """Sorted codes of the registry."""
    functions: Codes
    """Sorted codes of the registry."""
    retrieval: Literal["pir", "table"]
    """How requesters read the tables (PIR-2)."""
    issuers: Issuers | None
    """Issuers of credentials that the owner relies on, sorted; null: all that GATE-5 allows. It can only narrow."""


class DatasetPublish(_Offer):
    """``dataset.publish``: a new dataset, or the next version of one's own."""


class DatasetWithdraw(Record):
    """``dataset.withdraw``: no new epochs and no new tasks; final."""

    dataset: DatasetId


class DatasetRecord(_Offer):
    """The dataset's state on the ledger."""

    version: Positive
    owner: Did
    status: Literal["published", "withdrawn"]
    time_ms: TimeMs


def dataset_key(dataset: str) -> str:
    """State key."""
    return f"dataset/{dataset}"


def dataset_record(state: StateView, dataset: str) -> DatasetRecord:
    """The record of a dataset. Raises ``NotFoundError`` ``dataset_unknown``."""
    found = state.get(dataset_key(dataset))
    if found is None:
        raise NotFoundError("dataset_unknown", "No dataset of this name is on the ledger.")
    return DatasetRecord.from_json(found)
