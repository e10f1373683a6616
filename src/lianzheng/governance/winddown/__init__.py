"""The orderly end of the network: plan, start, freeze, disconnect, close, each signed off (``domain.md`` §4)."""
