"""Finds where the shots of a finished film come from in the footage it was cut from."""
