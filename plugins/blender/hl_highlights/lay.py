"""Strips and markers from what hl found, each on the frame that hl names."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy

from .finding import BANDS, Finding, Moment, blocks, key
from .scene import all_strips_of, is_rate_of, path_of, rate_of, strips_of
from .trouble import Trouble

_OURS = "hl_rank"
"""Custom property of the strips that this add-on lays: the rank of the moment."""


def add_highlights(scene: bpy.types.Scene, finding: Finding, at: int) -> list:
    """Lay every moment's picture and sound back to back; returns the strips.

    Args:
        scene: Where; its rate must be that of the files, as Blender plays movies frame by frame.
        finding: What hl found.
        at: First frame.

    Raises:
        Trouble: A rate differs, a file is gone, or there is no free channel.
    """
    for moment in finding.moments:
        if not is_rate_of(scene, moment.rate):
            raise Trouble(
                f"{Path(moment.path).name} has {float(moment.rate):.5g} frames a second, the scene "
                f"{float(rate_of(scene)):.5g}: set the scene's rate first"
            )
        if not Path(moment.path).is_file():
            raise Trouble(f"there is no {moment.path}")
    picture_channel = _free_channel(scene, 2)
    made = []
    for moment in finding.moments:
        movie = strips_of(scene).new_movie(
            moment.strip_name, moment.path, picture_channel + 1, _parking_frame(scene)
        )
        made.append(_placed(movie, moment, at))
        if moment.num_sounds:
            sound = strips_of(scene).new_sound(
                moment.strip_name, moment.path, picture_channel, _parking_frame(scene)
            )
            made.append(_placed(sound, moment, at))
        at += moment.count
    return made


def _placed(strip: Any, moment: Moment, at: int) -> Any:
    """Cut a strip of the whole file to a moment, and put its first frame at a frame."""
    # A sound may be shorter than the picture: then it is silent to the end.
    count = min(moment.count, strip.frame_duration - moment.first)
    strip.frame_offset_start = moment.first
    strip.frame_offset_end = strip.frame_duration - moment.first - count
    strip.frame_start = at - moment.first
    # Another channel than asked for means that Blender found strips in the way.
    if (strip.frame_final_start, strip.frame_final_duration) != (at, count):
        raise Trouble(f"Blender laid {strip.name} at {strip.frame_final_start}, not {at}")
    strip.select = True
    strip[_OURS] = moment.rank
    return strip


def _parking_frame(scene: bpy.types.Scene) -> int:
    """Return a frame behind everything, where a whole file has room until it is cut."""
    return max((int(strip.frame_final_end) for strip in all_strips_of(scene)), default=0) + 1


def _free_channel(scene: bpy.types.Scene, count: int) -> int:
    """Return the lowest of some channels above all strips."""
    lowest = max((strip.channel for strip in strips_of(scene)), default=0) + 1
    limit = 32 if bpy.app.version < (4, 0, 0) else 128
    if lowest + count - 1 > limit:
        raise Trouble("there is no free channel above the strips")
    return lowest


def add_markers(scene: bpy.types.Scene, finding: Finding) -> list:
    """Mark the start of every moment that a strip of the scene shows; returns the markers.

    Raises:
        Trouble: A rate differs.
    """
    there = {(marker.frame, marker.name) for marker in scene.timeline_markers}
    made = []
    for strip in _scored_strips(scene, finding):
        for moment in finding.moments:
            if key(moment.path) != key(path_of(strip)):
                continue
            frame = int(strip.frame_start) + moment.first
            is_shown = strip.frame_final_start <= frame < strip.frame_final_end
            if is_shown and (frame, moment.name) not in there:
                made.append(scene.timeline_markers.new(moment.name, frame=frame))
    return made


def add_score_strip(scene: bpy.types.Scene, finding: Finding) -> list:
    """Lay a row of muted colour strips over each scored strip, one colour a band of scores.

    Returns:
        The strips; the score is in their names.

    Raises:
        Trouble: A rate differs, or there is no free channel.
    """
    made = []
    for strip in _scored_strips(scene, finding):
        document = finding.scores[key(path_of(strip))]
        rate = Fraction(document["video"]["frame_rate"])
        channel = _free_channel(scene, 1)
        for start, end, score in blocks(document["scores"], document["clip_seconds"], rate):
            shown_start = max(int(strip.frame_start) + start, int(strip.frame_final_start))
            shown_end = min(int(strip.frame_start) + end, int(strip.frame_final_end))
            if shown_start >= shown_end:
                continue
            block = _new_colour(scene, f"hl {score:.0%}", channel, shown_start, shown_end)
            block.color = next(colour for lowest, colour in BANDS if score >= lowest)
            # It is to be looked at, not to be rendered.
            block.mute = True
            # A new strip is selected; the footage is what the next button is for.
            block.select = False
            made.append(block)
    return made


def _new_colour(scene: bpy.types.Scene, name: str, channel: int, start: int, end: int) -> Any:
    new = strips_of(scene).new_effect
    try:
        return new(name, "COLOR", channel, start, frame_end=end)
    except TypeError:
        # Blender 5.
        return new(name, "COLOR", channel, start, length=end - start)


def _scored_strips(scene: bpy.types.Scene, finding: Finding) -> list:
    """Return the movie strips of scored files, those of our own making aside."""
    found = []
    for strip in strips_of(scene):
        if strip.type != "MOVIE" or _OURS in strip:
            continue
        document = finding.scores.get(key(path_of(strip)))
        if document is None:
            continue
        rate = Fraction(document["video"]["frame_rate"])
        if not is_rate_of(scene, rate):
            raise Trouble(
                f"{strip.name} has {float(rate):.5g} frames a second, the scene "
                f"{float(rate_of(scene)):.5g}: set the scene's rate first"
            )
        found.append(strip)
    if not found:
        raise Trouble("no strip of the scene shows a file that was scored")
    return found
