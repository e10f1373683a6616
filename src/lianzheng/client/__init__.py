"""Typed HTTP client of a node's public and internal API."""
