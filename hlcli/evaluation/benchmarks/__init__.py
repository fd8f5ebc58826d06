"""Public benchmarks of highlight detection, with the protocols of their public code."""
