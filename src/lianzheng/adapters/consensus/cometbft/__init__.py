"""The Byzantine-fault-tolerant engine: CometBFT orders, this member's own state machine answers it over ABCI 2.0."""

from lianzheng.adapters.consensus.cometbft.engine import CometEngine, CometFiles

__all__ = ["CometEngine", "CometFiles"]
