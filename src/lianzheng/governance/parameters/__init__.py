"""Numbers that the alliance may change by vote, each within bounds that only a new schema changes (LED-7)."""
