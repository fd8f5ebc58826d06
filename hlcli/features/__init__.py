"""Turns pictures and sound into one feature vector per clip."""
