"""Small copies of videos that any browser plays, with the same frames at the same instants."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path

from hlcli.document import VideoRecord
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from hlcli.progress import Progress, silent
from hlcli.rendering.film import render
from hlcli.rendering.media import even
from hlcli.rendering.settings import RenderSettings
from hlcli.timeline.edit_list import EditList, Event, Sound, Source

LONGEST_SIDE = 960
"""Of the copy, in pixels."""
QUALITY = 28
"""Its constant quality: a copy to decide by, not to look at."""
MAX_KEPT = 50
"""Most copies in a folder; the oldest go."""


def make_proxy(video: Path, output: Path, *, progress: Progress = silent) -> Path:
    """Write a copy of a whole video as H.264 and AAC, at a constant rate, from its first frame.

    Args:
        video: The video.
        output: The `.mp4` to write; its folder must exist. Appears whole or not at all.
        progress: Called with seconds of video.

    Raises:
        MediaError: The video cannot be read.
        OutputError: The copy cannot be written.
    """
    info = probe(video)
    source = Source.from_video(VideoRecord.from_media(info, content_identity(video)))
    frames = range(source.num_frames)
    edit = EditList(
        name=video.stem,
        frame_rate=source.frame_rate,
        events=(
            Event(
                source=source,
                frames=frames,
                record=frames,
                video_track=0,
                sound=tuple(Sound(stream, stream) for stream in range(len(source.audio))),
            ),
        ),
        width=source.width,
        height=source.height,
        sample_rate=source.audio[0].sample_rate if source.audio else 48000,
    )
    shrink = min(Fraction(1), Fraction(LONGEST_SIDE, max(source.width, source.height)))
    size = (even(source.width * shrink), even(source.height * shrink))
    render(edit, output, RenderSettings(size=size, quality=QUALITY), progress=progress)
    _drop_oldest(output.parent)
    return output


def _drop_oldest(folder: Path) -> None:
    with contextlib.suppress(OSError):
        copies = sorted(
            folder.glob("*.mp4"), key=lambda path: path.stat().st_mtime_ns, reverse=True
        )
        for path in copies[MAX_KEPT:]:
            path.unlink(missing_ok=True)
