"""Bytes between members: mutual TLS in which only the ledger's certificates count (F67)."""
