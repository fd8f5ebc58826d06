"""Timelines: moments become edit lists, edit lists files of every editor, and back."""
