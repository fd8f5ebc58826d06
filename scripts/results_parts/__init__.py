"""The parts of scripts/results, one file each."""
