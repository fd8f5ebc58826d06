"""Words of a command line, a panel or a script become settings: here and nowhere else.

Lengths of time are texts as people write them, or seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

from hlcli.errors import UsageError
from hlcli.moments import MarksVote, Selection, Stretch
from hlcli.parsing import parse_duration, parse_frame_rate, parse_size, parse_stretch
from hlcli.rendering.settings import MUSIC_LEVEL_DB, AudioChoice, RenderSettings
from hlcli.timeline.build import Layout, Order
from hlcli.timeline.paths import media_path, without_dots
from hlcli.timeline.timecode import parse_timecode

Length: TypeAlias = str | float
"""A length of time: "1m30s", or a number of seconds."""
_HIGHEST_RATE = Fraction(240)
Spelling: TypeAlias = Callable[[str], str]
"""How a caller writes the name of an option, for errors."""


def dashed(name: str) -> str:
    """Spell an option as the command line does.

    Example:
        >>> dashed("max_duration")
        '--max-duration'
    """
    return "--" + name.replace("_", "-")


def selection_of(
    *,
    target_duration: Length | None = None,
    top: int | None = None,
    threshold: float | None = None,
    min_duration: Length | None = None,
    max_duration: Length | None = None,
    handles: Length | None = None,
    keep_all: bool | None = None,
    keep_takes: bool | None = None,
    pin: Sequence[str] | None = None,
    avoid: Sequence[str] | None = None,
    marks: MarksVote | None = None,
    spelled: Spelling = dashed,
) -> Selection | None:
    """Return the rule by which moments are chosen; None where nothing is said about it.

    Raises:
        UsageError: A length is malformed, a value is out of range, two rules exclude each other,
            or the shortest moment is longer than the longest.
    """
    lengths = {
        "target_duration": target_duration,
        "min_duration": min_duration,
        "max_duration": max_duration,
        "handles": handles,
    }
    seconds = {
        f"{name}_seconds": _seconds(value, spelled(name))
        for name, value in lengths.items()
        if value is not None
    }
    pins, avoids = (
        tuple(_stretch(text, spelled(name)) for text in texts or ())
        for name, texts in (("pin", pin), ("avoid", avoid))
    )
    chosen = keep_all or keep_takes or pins or avoids or marks is not None
    if top is None and threshold is None and not seconds and not chosen:
        return None
    return Selection(
        top=top,
        threshold=threshold,
        keep_all=bool(keep_all),
        keep_takes=bool(keep_takes),
        pins=pins,
        avoids=avoids,
        marks="weak" if marks is None else marks,
        **seconds,
    )


def _stretch(text: str, option: str) -> Stretch:
    name, start, end = parse_stretch(text, option=option)
    return Stretch(start_seconds=start, end_seconds=end, video=name)


def check_stretches(selection: Selection | None, videos: Sequence[str | Path]) -> None:
    """Refuse pins and avoids of which it is not clear in which video they are.

    Raises:
        UsageError: There are several videos and one has no name, or it has the name of none.
    """
    names = [media_path(str(video)).name for video in videos]
    chosen = selection or Selection()
    for stretch in (*chosen.pins, *chosen.avoids) if names else ():
        if stretch.video is None and len(names) > 1:
            raise UsageError(
                f"there are {len(names)} videos: say in which one "
                f"{stretch.start_seconds:g} s to {stretch.end_seconds:g} s is",
                hint=f"put its name before it: {names[0]}:12:30-12:40",
            )
        if not any(stretch.is_of(name) for name in names):
            raise UsageError(
                f"--pin or --avoid names {stretch.video}, which is none of the videos",
                hint=f"write it as {names[0]}:12:30-12:40",
            )


def layout_of(
    *,
    order: Order = "time",
    markers_only: bool = False,
    track_per_source: bool = False,
    start_timecode: str | None = None,
    frame_rate: str | float | None = None,
    map_path: Sequence[str] | None = None,
    music: str | Path | None = None,
    spelled: Spelling = dashed,
) -> Layout:
    """Return how moments lie on a timeline.

    Raises:
        UsageError: A timecode, a rate or a path map cannot be read.
    """
    rate = None
    if frame_rate is not None:
        rate = parse_frame_rate(str(frame_rate), option=spelled("frame_rate"))
    if start_timecode is not None:
        # Where the rate is that of the footage, what is no timecode at any is seen all the same.
        try:
            parse_timecode(start_timecode, rate or _HIGHEST_RATE)
        except ValueError as error:
            raise UsageError(
                f"{spelled('start_timecode')}: {error}", hint="write it as 01:00:00:00"
            ) from error
    return Layout(
        order=order,
        markers_only=markers_only,
        track_per_source=track_per_source,
        start_timecode=start_timecode,
        frame_rate=rate,
        path_maps=tuple(
            parse_path_map(text, option=spelled("map_path")) for text in map_path or ()
        ),
        music=None if music is None else Path(music).expanduser(),
    )


def render_settings_of(
    *,
    size: str | None = None,
    vertical: bool = False,
    crossfade: Length | None = None,
    audio: AudioChoice = "mix",
    captions: bool = False,
    font: str | Path | None = None,
    music: str | Path | None = None,
    music_level: float | None = None,
    encoder: str = "auto",
    quality: int | None = None,
    copy: bool = False,
    spelled: Spelling = dashed,
) -> RenderSettings:
    """Return how a film is made.

    Raises:
        UsageError: A size or a length cannot be read, `copy` goes with something else, or a font
            has no captions, or a level no music, to be for.
    """
    if font is not None and not captions:
        raise UsageError(
            f"{spelled('font')} is the font of the captions, and there are none",
            hint=f"name them: {spelled('captions')} talk.srt",
        )
    if music_level is not None and music is None:
        raise UsageError(
            f"{spelled('music_level')} is the level of the music, and there is none",
            hint=f"name it: {spelled('music')} song.mp3",
        )
    if music_level is not None and not -60 <= music_level <= 20:
        raise UsageError(
            f"{spelled('music_level')}: {music_level:g} dB is outside -60 to 20",
            hint="0 is as in the file, -10 the default",
        )
    fade = 0.0 if crossfade is None else _seconds(crossfade, spelled("crossfade"))
    settings = RenderSettings(
        size=parse_size(size, vertical=vertical, option=spelled("size")),
        vertical=vertical,
        crossfade_seconds=Fraction(str(fade)),
        audio=audio,
        captions=captions,
        font=None if font is None else Path(font).expanduser(),
        music=None if music is None else Path(music).expanduser(),
        music_level_db=MUSIC_LEVEL_DB if music_level is None else music_level,
        encoder=encoder,
        quality=quality,
    )
    if copy and settings != RenderSettings():
        names = [
            spelled(name)
            for name in (
                "size",
                "vertical",
                "crossfade",
                "audio",
                "captions",
                "music",
                "encoder",
                "quality",
            )
        ]
        raise UsageError(
            f"{spelled('copy')} changes nothing in picture and sound, so it goes with none of "
            f"{', '.join(names[:-1])} and {names[-1]}",
            hint=f"leave {spelled('copy')} out to encode",
        )
    return settings


def parse_path_map(text: str, *, option: str) -> tuple[str, str]:
    r"""Split FROM=TO: a folder here, and the same as an editor on another machine sees it.

    Args:
        text: `/mnt/footage=Z:\footage`.
        option: The option it came with, for the error.

    Raises:
        UsageError: It has no `=`, or TO is no whole path.
    """
    start, equals, end = text.partition("=")
    if not (start and equals and end):
        raise UsageError(
            f"{option}: {text!r} is not FROM=TO",
            hint="write the folder here, =, and the folder as the editor sees it",
        )
    if not media_path(end).is_absolute():
        raise UsageError(
            f"{option}: {end!r} is no whole path",
            hint="write the folder as the editor sees it, from its root or drive: Z:\\footage",
        )
    if ".." in media_path(start).parts or not media_path(start).is_absolute():
        start = without_dots(str(Path(start).expanduser()))
    return start, end


def _seconds(value: Length, option: str) -> float:
    if isinstance(value, str):
        return parse_duration(value, option=option)
    if not math.isfinite(value):
        raise UsageError(f"{option}: {value} is not a duration", hint="write it as 90s or 1m30s")
    return float(value)
