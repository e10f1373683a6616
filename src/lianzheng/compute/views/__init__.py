"""Views and their epochs: one fresh key and one immutable table each (GATE-0, PIR-1)."""
