"""The tables that ship with the package: questionnaire, policies, sample products, adjustments. Data, not code."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from lianzheng.errors import NotFoundError
from lianzheng.suitability.assessment import AdjustmentTable
from lianzheng.suitability.model import Product
from lianzheng.suitability.policy import Policy
from lianzheng.suitability.questionnaire import Template

__all__ = ["adjustments", "policies", "product", "products", "template"]


def _load(name: str) -> Any:
    # Readable files; what counts is the typed value, whose canonical bytes make the digest.
    return orjson.loads((files("lianzheng.suitability") / "data" / name).read_bytes())


@cache
def template() -> Template:
    """The questionnaire for natural persons, version 1."""
    return Template.from_json(_load("questionnaire-natural-person-1.json"))


@cache
def policies() -> tuple[Policy, ...]:
    """All versions of the policy of every product line, oldest first."""
    return tuple(Policy.from_json(entry) for entry in _load("policies.json"))


@cache
def adjustments() -> AdjustmentTable:
    """What bands do to a level: lower it, flag, or ask for a retest."""
    return AdjustmentTable.from_json(_load("adjustments.json"))


@cache
def _products() -> Mapping[str, Product]:
    return {product.id: product for product in map(Product.from_json, _load("products.json"))}


def products() -> Mapping[str, Product]:
    """Sample products R1 to R5 by id."""
    return _products()


def product(product_id: str) -> Product:
    """Raises ``NotFoundError`` ``product_unknown``."""
    found = _products().get(product_id)
    if found is None:
        raise NotFoundError("product_unknown", "No product has this id.")
    return found
