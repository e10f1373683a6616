"""The tables of every slice on one ``metadata``; sibling modules are imported here, so that adding one is enough."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from lianzheng.adapters.storage.tables._base import metadata

__all__ = ["metadata"]

for _module in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")
