"""Names and codes shared by the sub-slices of compute."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from lianzheng.encoding.model import Bytes
from lianzheng.limits import INT_MAX

__all__ = ["Code", "DatasetId", "Positive", "Proof80", "dataset_of", "view_parts"]

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
"""Code of an entry of a registry table."""
DatasetId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
"""First part of a view id (B15); unique on the ledger."""
Positive = Annotated[int, Field(ge=1, le=INT_MAX)]
Proof80 = Annotated[Bytes, Field(min_length=80, max_length=80)]
"""A Schnorr proof (R, z) (B11)."""


def view_parts(view: str) -> tuple[str, str, str]:
    """Dataset, bundle and form of a view id that has passed ``ids.ViewId`` (B15)."""
    dataset, bundle, form = view.split("/")
    return dataset, bundle, form


def dataset_of(view: str) -> str:
    """The dataset that a view belongs to."""
    return view_parts(view)[0]
