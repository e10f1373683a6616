"""Closed, versioned tables: what may be asked, in which form, for which purpose.

The digest of all of them stands in genesis and changes by vote only, so every member means the same
by ``I01`` band 3. Below every other package but ``errors``: tables hold data, not behaviour.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson

from lianzheng.registry.bands import (
    band_bounds,
    band_of,
    check_view,
    combine,
    read_view_value,
    view_value,
    view_value_size,
)
from lianzheng.registry.indicators import INDICATORS, RESERVED
from lianzheng.registry.model import Bundle, DocumentType, Form, Function, Indicator, Purpose, Scene
from lianzheng.registry.purposes import FUNCTIONS, PURPOSES
from lianzheng.registry.scenes import DOCUMENT_TYPES, SCENES
from lianzheng.registry.views import BUNDLES, FORMS

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "BUNDLES",
    "DOCUMENT_TYPES",
    "FORMS",
    "FUNCTIONS",
    "INDICATORS",
    "PURPOSES",
    "RESERVED",
    "SCENES",
    "VERSION",
    "Bundle",
    "DocumentType",
    "Form",
    "Function",
    "Indicator",
    "Purpose",
    "Scene",
    "band_bounds",
    "band_of",
    "check_view",
    "combine",
    "digest",
    "read_view_value",
    "view_value",
    "view_value_size",
]

VERSION = 1
"""Version of the tables as a whole; every entry has its own as well."""


def canonical_tables() -> bytes:
    """All tables as RFC 8785 JSON (ASCII keys and integers only, so sorted keys are enough)."""
    tables: dict[str, Mapping[str, DataclassInstance]] = {
        "bundles": BUNDLES,
        "document_types": DOCUMENT_TYPES,
        "forms": FORMS,
        "functions": FUNCTIONS,
        "indicators": INDICATORS,
        "purposes": PURPOSES,
        "scenes": SCENES,
    }
    plain = {name: {code: asdict(entry) for code, entry in table.items()} for name, table in tables.items()}
    return orjson.dumps(plain | {"reserved": RESERVED, "version": VERSION}, option=orjson.OPT_SORT_KEYS)


def digest() -> bytes:
    """SHA-256 under tag ``registry`` of the canonical tables (CON-2, B1); 32 bytes, part of genesis."""
    data = canonical_tables()
    return hashlib.sha256(b"lianzheng/v1/registry\0" + len(data).to_bytes(4, "big") + data).digest()
