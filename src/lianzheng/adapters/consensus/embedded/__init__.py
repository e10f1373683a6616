"""One sequencer orders, followers replay and compare (``ledger.md``, *embedded*).

It protects against outsiders and against silent divergence, not against its own operator.
"""

from lianzheng.adapters.consensus.embedded.follower import EmbeddedFollower
from lianzheng.adapters.consensus.embedded.links import SequencerLink, StatementLink
from lianzheng.adapters.consensus.embedded.sequencer import EmbeddedSequencer

__all__ = ["EmbeddedFollower", "EmbeddedSequencer", "SequencerLink", "StatementLink"]
