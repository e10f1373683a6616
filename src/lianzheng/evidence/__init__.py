"""Evidence (存证): salted records at the member, batched roots on the ledger, one promise per record (EV-1..EV-4)."""
