"""Verifiable Credentials 2.0 with eddsa-jcs-2022 proofs."""

from lianzheng.identity.credentials.data_integrity import add_proof, verify_proof
from lianzheng.identity.credentials.verifiable import (
    CONTEXT,
    rfc3339,
    sign_credential,
    time_ms_of,
    verify_credential,
)

__all__ = ["CONTEXT", "add_proof", "rfc3339", "sign_credential", "time_ms_of", "verify_credential", "verify_proof"]
