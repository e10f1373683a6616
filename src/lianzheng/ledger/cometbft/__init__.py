"""CometBFT's encodings of header, commit and validator set, and the light client over them. Pure; verification only."""

from lianzheng.ledger.cometbft.model import (
    BlockId,
    CometHead,
    CometHeader,
    CometStatement,
    CommitSignature,
    CommitVotes,
    Time,
    Validator,
    parse_head,
)
from lianzheng.ledger.cometbft.verify import verify_comet_head, verify_comet_statement

__all__ = [
    "BlockId",
    "CometHead",
    "CometHeader",
    "CometStatement",
    "CommitSignature",
    "CommitVotes",
    "Time",
    "Validator",
    "parse_head",
    "verify_comet_head",
    "verify_comet_statement",
]
