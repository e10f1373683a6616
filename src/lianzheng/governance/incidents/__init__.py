"""Incidents: opened by any member, contained by few, closed by many (``domain.md`` §4, emergency)."""
