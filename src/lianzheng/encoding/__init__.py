"""Canonical JSON, framing under domain tags, and the texts of binary values. No business words."""
