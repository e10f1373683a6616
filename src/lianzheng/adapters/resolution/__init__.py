"""Fetching documents of others for DID resolution."""
