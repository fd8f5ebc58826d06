"""Options that `hl score` and `hl export` share: the program and the shape of the timeline."""

from __future__ import annotations

import enum
import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from hlcli.errors import UsageError

if TYPE_CHECKING:
    from hlcli.timeline.build import Layout

_TIMELINE = "Timeline"
# Not "1e9": a power of ten can be longer than the memory.
_RATE = re.compile(r"\d{1,9}(\.\d{1,9})?|\d{1,9}/\d{1,9}", re.ASCII)


class OrderChoice(str, enum.Enum):
    """What --order takes."""

    time = "time"
    rank = "rank"


For: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--for",
        metavar="PROGRAM",
        help="Write what this program reads best; `hl export --list-formats` names them. "
        "Repeatable when -o is a folder.",
        rich_help_panel=_TIMELINE,
    ),
]
Order: TypeAlias = Annotated[
    OrderChoice,
    typer.Option(
        "--order", help="Moments as they happened, or the best first.", rich_help_panel=_TIMELINE
    ),
]
MarkersOnly: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--markers-only",
        help="Lay each video down whole, with markers instead of cuts.",
        rich_help_panel=_TIMELINE,
    ),
]
TrackPerSource: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--track-per-source", help="Give each video its own tracks.", rich_help_panel=_TIMELINE
    ),
]
StartTimecode: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--start-timecode",
        metavar="HH:MM:SS:FF",
        help='Where the timeline starts, ";" before the frames for drop-frame; zero if not given.',
        rich_help_panel=_TIMELINE,
    ),
]
FrameRate: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--frame-rate",
        metavar="RATE",
        help="Rate of the timeline: 25, 29.97 or 30000/1001; that of the first video if not given.",
        rich_help_panel=_TIMELINE,
    ),
]
MapPath: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--map-path",
        metavar="FROM=TO",
        help="The editor sees the folder FROM as TO: --map-path /mnt/footage=Z:\\footage. "
        "Repeatable.",
        rich_help_panel=_TIMELINE,
    ),
]


def layout_from_options(
    *,
    order: OrderChoice = OrderChoice.time,
    markers_only: bool = False,
    track_per_source: bool = False,
    start_timecode: str | None = None,
    frame_rate: str | None = None,
    map_path: list[str] | None = None,
) -> Layout:
    """Turn the options as given into a `Layout`.

    Raises:
        UsageError: A rate or a path map cannot be read.
    """
    from hlcli.timeline.build import Layout

    return Layout(
        order=order.value,
        markers_only=markers_only,
        track_per_source=track_per_source,
        start_timecode=start_timecode,
        frame_rate=None if frame_rate is None else parse_frame_rate(frame_rate),
        path_maps=tuple(_pair(text) for text in map_path or []),
    )


def parse_frame_rate(text: str) -> Fraction:
    """Turn a rate as people write it into the exact one.

    Args:
        text: `25`, `30000/1001`, or a rounded `23.976`, `29.97`, `59.94`.

    Raises:
        UsageError: It is no rate an editor has.

    Example:
        >>> parse_frame_rate("29.97")
        Fraction(30000, 1001)
    """
    from hlcli.media.rates import STANDARD_RATES, snap_rate

    plain = text.strip()
    try:
        rate = Fraction(plain) if _RATE.fullmatch(plain) else Fraction(0)
        exact = snap_rate(rate) if rate > 0 else None
    except ZeroDivisionError:
        exact = None
    if exact is None:
        raise UsageError(
            f"--frame-rate: {text!r} is no rate a timeline can have",
            hint="use one of "
            + ", ".join(f"{float(rate):.6g}" for rate in STANDARD_RATES if rate >= 20),
        )
    return exact


def _pair(text: str) -> tuple[str, str]:
    from hlcli.timeline.paths import media_path

    start, equals, end = text.partition("=")
    if not (start and equals and end):
        raise UsageError(
            f"--map-path: {text!r} is not FROM=TO",
            hint="write the folder here, =, and the folder as the editor sees it",
        )
    if not media_path(end).is_absolute():
        raise UsageError(
            f"--map-path: {end!r} is no whole path",
            hint="write the folder as the editor sees it, from its root or drive: Z:\\footage",
        )
    if not media_path(start).is_absolute():
        start = str(Path(start).expanduser().absolute())
    return start, end
