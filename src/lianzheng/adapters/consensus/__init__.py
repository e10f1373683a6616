"""Engines that order transactions: today the embedded one."""
