"""The answers that the public W3C suites expect. Apart from the product: no route, key or state is shared with it."""

from lianzheng.api.conformance.app import create_conformance_app
from lianzheng.api.conformance.issuers import Issuers

__all__ = ["Issuers", "create_conformance_app"]
