"""Turns feature vectors into highlight scores."""
