"""Routes for wallets of others, on a listener of their own; off unless the configuration turns them on."""
