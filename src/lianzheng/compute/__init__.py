"""Datasets, views, tasks, the consent gate and the protocols that run behind it."""
