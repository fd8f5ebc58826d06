"""hl: find the moments worth keeping in raw footage and hand them over as a timeline."""

__version__ = "0.1.0"
