"""The command ``lianzheng``: commands and their output, no rules."""

from lianzheng.cli.main import main

__all__ = ["main"]
