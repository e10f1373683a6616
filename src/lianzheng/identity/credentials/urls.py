"""What counts as a URL in a credential: an absolute one, of characters that a URL can hold."""

from __future__ import annotations

import re

__all__ = ["is_url"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+\Z")


def is_url(value: object) -> bool:
    """Whether ``value`` is an absolute URL (RFC 3986's shape, other scripts' letters allowed)."""
    return isinstance(value, str) and _URL.match(value) is not None
