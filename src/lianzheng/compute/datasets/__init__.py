"""What a member offers for joint computation, and the rows behind it, which never leave its own database."""
