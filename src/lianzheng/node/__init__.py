"""The composition root: configuration, wiring, lifecycle, background workers."""
