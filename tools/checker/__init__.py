"""Reads what nodes left on disk and says whether it keeps what the nodes had acknowledged.

It shares no code with the nodes: its own JSON, trees, signatures and database access, so that one defect cannot hide
in both. ``python -m tools.checker claims.json`` prints every contradiction and ends with status 1 if there is one.
"""
