"""Parts of scripts/measure_moments.py."""
