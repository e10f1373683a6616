"""Lianzheng (联证): investor suitability across brokers, with consent and with proof."""

__version__ = "0.1.0"
