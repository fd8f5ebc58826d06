"""Measures detectors beside trivial baselines."""
