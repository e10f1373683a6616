"""did:lz on the ledger: what controls a DID, its operations, and its versions (ID-3, LED-3)."""
