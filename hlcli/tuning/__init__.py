"""Adapts a detector to a project's footage and learns what its editor keeps."""
