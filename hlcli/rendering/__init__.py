"""Turns timelines and scores into pictures, pages and films."""
