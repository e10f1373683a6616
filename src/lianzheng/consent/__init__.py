"""The investor's consent: terms, anonymous tokens, the named consent, its record on the ledger (AUTH-1..4, AUTH-6)."""
