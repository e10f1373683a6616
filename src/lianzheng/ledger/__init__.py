"""Envelope, context, state, trees and the ports of the ledger; the rules themselves stand in ``contracts``."""
