"""Bitstring Status List 1.0: revocation, suspension and refresh of credentials, each one bit among very many."""
