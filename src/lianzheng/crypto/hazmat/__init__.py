"""Wrappers that make foreign group libraries safe to call; everything above uses these and never the libraries."""
