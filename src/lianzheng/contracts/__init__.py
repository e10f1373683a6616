"""The replicated state machine: which kinds exist, who may send them, and how one transaction is applied."""
