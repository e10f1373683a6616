"""How a member comes in, is assessed, is kept out for a time, and goes (``domain.md`` §4)."""
