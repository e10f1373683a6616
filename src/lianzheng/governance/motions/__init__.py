"""Motions: decisions that control groups take together, one vote a group (CON-7, B35)."""
