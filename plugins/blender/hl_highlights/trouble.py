"""The add-on's one error."""

from __future__ import annotations


class Trouble(Exception):
    """Something the user should read; the operators report it."""
