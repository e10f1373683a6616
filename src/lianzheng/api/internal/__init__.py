"""The member's own side: the operator's API, the wallets' inbox, DID resolution."""
