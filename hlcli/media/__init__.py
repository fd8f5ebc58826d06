"""Reads media files: exact times, frames, sound."""
