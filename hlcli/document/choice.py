"""Moments chosen anew from stored scores."""

from __future__ import annotations

from hlcli.document.records import ScoresDocument
from hlcli.moments import Moment, Selection, select_moments


def select_moments_of(document: ScoresDocument, selection: Selection) -> list[Moment]:
    """Choose moments anew from the scores of a document, best first; decodes nothing."""
    return select_moments(
        document.scores,
        clip_seconds=document.clip_seconds,
        duration_seconds=document.video.duration_seconds,
        selection=selection,
        shot_boundaries_seconds=document.shot_boundaries_seconds,
        picture_T=document.picture_scores,
        sound_T=document.sound_scores,
    )
