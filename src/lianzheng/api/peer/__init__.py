"""The peer API (``/peer/v1``): canonical bytes between members, known by their certificates."""
