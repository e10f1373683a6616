"""The protocols that run behind the gate."""
