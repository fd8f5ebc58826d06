"""Options that `hl score` and `hl export` share: the program and the shape of the timeline."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from hlcli.timeline.build import Layout

_TIMELINE = "Timeline"


def given(layout: Layout) -> dict[str, bool]:
    """Return which options of a timeline's shape change something."""
    return {
        "--order": layout.order != "time",
        "--markers-only": layout.markers_only,
        "--track-per-source": layout.track_per_source,
        "--start-timecode": layout.start_timecode is not None,
        "--frame-rate": layout.frame_rate is not None,
        "--music": layout.music is not None,
    }


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
        "--order",
        metavar="time|rank",
        help="Moments as they happened, or the best first.",
        rich_help_panel=_TIMELINE,
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
Music: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--music",
        metavar="SONG",
        help="Move cuts by up to three frames to where this music has accents, when it begins with "
        "the timeline. `hl render --music` lays it under the film.",
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
