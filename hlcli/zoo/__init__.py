"""Knows the published models and fetches their weights."""
