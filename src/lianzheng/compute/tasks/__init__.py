"""Task contracts on the ledger: proposed, approved by each provider, reported, closed (TASK-1)."""
