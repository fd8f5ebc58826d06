"""Runs inside Blender: reads an .otio with the OpenTimelineIO library and renders it.

    blender -b --factory-startup --python-use-system-env -P blender_render.py -- IN.otio OUT.mp4

Blender 3.4 has no importer of its own; what is read is read by the library alone (rates, ranges,
paths), and this file lays the strips. It knows nothing of `hl`: it takes a clip's source range from
the start of its media's available range, as any reader does. Blender plays a movie frame by frame,
so a clip of another rate than the timeline cannot be rendered and is refused.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote, urlsplit

import bpy
import opentimelineio as otio


def frames(time: otio.opentime.RationalTime, rate: float) -> int:
    """Return a time in whole frames of a rate; it must be on them."""
    count = time.rescaled_to(rate).value
    if abs(count - round(count)) > 1e-3:
        raise SystemExit(f"{time} is not a whole frame at {rate}")
    return round(count)


def main() -> None:
    """Read, lay the strips, render."""
    source, target = sys.argv[sys.argv.index("--") + 1 :]
    timeline = otio.adapters.read_from_file(source)
    rate = timeline.duration().rate
    exact = Fraction(rate).limit_denominator(1001)
    scene = bpy.context.scene
    scene.render.fps = round(exact)
    scene.render.fps_base = round(exact) / float(exact)
    strips = scene.sequence_editor_create().sequences
    for channel, track in enumerate(timeline.video_tracks(), start=1):
        for clip in track.find_clips():
            lay(strips, clip, channel, rate)
    size = timeline.metadata["hl"]
    render = scene.render
    render.resolution_x, render.resolution_y = size["width"], size["height"]
    render.resolution_percentage = 100
    scene.frame_start, scene.frame_end = 1, frames(timeline.duration(), rate)
    scene.view_settings.view_transform = "Standard"
    render.image_settings.file_format = "FFMPEG"
    render.ffmpeg.format = "MPEG4"
    render.ffmpeg.codec = "H264"
    render.ffmpeg.constant_rate_factor = "HIGH"
    render.ffmpeg.gopsize = 1
    render.ffmpeg.audio_codec = "NONE"
    render.use_sequencer = True
    render.filepath = target
    bpy.ops.render.render(animation=True)


def lay(strips: object, clip: otio.schema.Clip, channel: int, rate: float) -> None:
    """Put one clip where it belongs, cut to its frames."""
    media = clip.media_reference
    own = clip.source_range
    if abs(own.duration.rate - rate) > 1e-3:
        raise SystemExit(f"{clip.name} has {own.duration.rate} frames a second, not {rate}")
    path = unquote(urlsplit(media.target_url).path)
    if not Path(path).is_file():
        raise SystemExit(f"there is no {path}")
    strip = strips.new_movie(clip.name, path, channel, 1)  # type: ignore[attr-defined]
    if strip.frame_duration != frames(media.available_range.duration, rate):
        raise SystemExit(f"{clip.name} has {strip.frame_duration} frames for Blender")
    first = frames(own.start_time - media.available_range.start_time, rate)
    count = frames(own.duration, rate)
    strip.frame_offset_start = first
    strip.frame_offset_end = strip.frame_duration - first - count
    at = 1 + frames(clip.range_in_parent().start_time, rate)
    strip.frame_start = at - first
    if (strip.frame_final_start, strip.frame_final_duration) != (at, count):
        raise SystemExit(f"{clip.name} lies at {strip.frame_final_start}, not {at}")


main()
