"""Turns timelines into pictures and films: `hl contact-sheet` and `hl render`."""
