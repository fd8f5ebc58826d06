"""Trains detectors on folders of video, without labels."""
