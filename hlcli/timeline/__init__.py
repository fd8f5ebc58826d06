"""Turns moments into OpenTimelineIO timelines."""
