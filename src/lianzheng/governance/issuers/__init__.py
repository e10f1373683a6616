"""The registry of trusted issuers: which DID may issue which kind of credential, by vote."""
