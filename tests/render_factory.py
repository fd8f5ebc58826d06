"""Timelines of numbered footage for tests of `hl render`, without any file format between."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from numbered_footage import Footage, samples, sound_lag, video_record

from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.timeline.edit_list import EditList, Event, Sound, Source
from hlcli.timeline.timecode import frame_at


def source_of(path: Path) -> Source:
    """Return a source as `hl score` would describe the file."""
    return Source.from_video(video_record(path))


def cuts(
    pieces: Sequence[tuple[Source, int, int]],
    *,
    rate: Fraction | None = None,
    gap: int = 0,
    **changes: object,
) -> EditList:
    """Lay (source, first frame, number of its frames) one behind the other."""
    first = pieces[0][0]
    rate = rate or first.frame_rate
    events, at, seconds = [], 0, Fraction(0)
    for source, start, length in pieces:
        seconds += length / source.frame_rate
        end = frame_at(seconds, rate)
        if source.frame_rate == rate:
            end = at + length
        events.append(
            Event(
                source=source,
                frames=range(start, start + length),
                record=range(at, end),
                sound=tuple(Sound(n, n) for n in range(len(source.audio))),
            )
        )
        at = end + gap
        seconds = max(seconds, end / rate) + gap / rate
    values: dict[str, object] = {"width": first.width, "height": first.height, **changes}
    return EditList(name="reel", frame_rate=rate, events=tuple(events), **values)  # type: ignore[arg-type]


def numbers_of(edit: EditList, footage: dict[str, Footage]) -> list[int | None]:
    """Return the number that each frame of the timeline must show, None in gaps.

    It is the one on the frame of the source that is on screen as the timeline's frame starts.
    """
    wanted: list[int | None] = [None] * edit.num_frames
    for event in sorted(edit.events, key=lambda event: event.video_track or 0):
        for frame in event.record:
            elapsed = (frame - event.record.start) / edit.frame_rate
            number = event.frames.start + int(elapsed * event.source.frame_rate)
            number = min(number, event.frames.stop - 1)
            wanted[frame] = footage[event.source.path].number_of(number)
    return wanted


def lags(wave_N: object, edit: EditList, footage: dict[str, Footage], track: int = 0) -> list:
    """Return by how many samples the sound of each event is late; None where it is not found."""
    return [
        sound_lag(
            wave_N,  # type: ignore[arg-type]
            footage[event.source.path],
            track=track,
            source=samples(event.frames, event.source.frame_rate),
            record_start=samples(event.record, edit.frame_rate).start,
        )
        for event in edit.events
    ]


def ffmpeg(*arguments: object) -> None:
    """Run the ffmpeg program."""
    command = [find_ffmpeg().path, "-v", "error", "-y", "-nostdin", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)
