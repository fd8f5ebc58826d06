"""Options that `hl score` and `hl export` share: model, how much to keep, where to write it."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, TypeAlias

import typer

_CHOICE = "How much to keep (one of them)"
_SHAPE = "Shape of a moment"
_MANY = "Many files"

TargetDuration: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--target-duration",
        metavar="DURATION",
        help="Total length of all moments, handles included: 90s, 1m30s or 1:30.",
        rich_help_panel=_CHOICE,
    ),
]
Top: TypeAlias = Annotated[
    int | None,
    typer.Option("--top", metavar="N", help="Keep the N best moments.", rich_help_panel=_CHOICE),
]
Threshold: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        metavar="X",
        help="Keep whatever scores at least X, from 0 to 1.",
        rich_help_panel=_CHOICE,
    ),
]
MinDuration: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--min-duration",
        metavar="DURATION",
        help="Shortest moment.  [default: 2s]",
        show_default=False,
        rich_help_panel=_SHAPE,
    ),
]
MaxDuration: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--max-duration",
        metavar="DURATION",
        help="Longest moment, without handles.  [default: 20s]",
        show_default=False,
        rich_help_panel=_SHAPE,
    ),
]
Handles: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--handles",
        metavar="DURATION",
        help="Extra footage on each side of a moment.  [default: 0.5s]",
        show_default=False,
        rich_help_panel=_SHAPE,
    ),
]
KeepAll: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--keep-all",
        help="Let in what nobody can use: black, colour bars, credits, text cards, frozen and "
        "blurred pictures.",
        rich_help_panel=_CHOICE,
    ),
]
KeepTakes: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--keep-takes",
        help="Keep every take of one thing; otherwise one, with the others as alternatives.",
        rich_help_panel=_CHOICE,
    ),
]
Pin: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--pin",
        metavar="FROM-TO",
        help="Keep this in any case, exactly: 12:30-12:40, with several videos "
        "NAME:12:30-12:40. Repeatable.",
        rich_help_panel=_CHOICE,
    ),
]
Avoid: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--avoid",
        metavar="FROM-TO",
        help="Keep nothing of this; written as --pin. Repeatable.",
        rich_help_panel=_CHOICE,
    ),
]
Rejects: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--rejects",
        metavar="FILE",
        help="Write a timeline of what nobody can use, with the reason on each clip.",
    ),
]
Output: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write, by the extension, a timeline (.otio, .otioz, .xml, .fcpxml, .edl, .aaf, .mlt, "
        ".kdenlive, .llc, .v1, .v3), chapters (.txt, .ffmetadata), captions (.srt, .vtt), a table "
        "(.csv, .parquet) or scores (.json); a folder, as cuts/, gets one timeline for each video. "
        "Repeatable.",
    ),
]
Transcript: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--transcript",
        metavar="FILE",
        help="What is said, as .srt, .vtt or whisper's .json: moments hold whole sentences where "
        "they fit, and -o cut.srt writes captions. With several videos, called as its video. "
        "Repeatable.",
    ),
]
Model: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Detector from `hl models list`; the default one if not given.",
    ),
]
Device: TypeAlias = Annotated[
    str, typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps.")
]
Jobs: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--jobs",
        metavar="N",
        help="Score N files at once, each in a process of its own; auto takes one for each core.",
        rich_help_panel=_MANY,
    ),
]
Engine: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="ray|ADDRESS",
        help="Score with Ray: on this machine, or on the cluster at ray://HOST:PORT or HOST:PORT.",
        show_default=False,
        rich_help_panel=_MANY,
    ),
]
RetryFailed: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--retry-failed",
        help="Try files again that an earlier run with --jobs or --engine set aside.",
        rich_help_panel=_MANY,
    ),
]
ShardOf: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Score the I-th of N parts alone: the same parts on every machine, by content.",
        rich_help_panel=_MANY,
    ),
]
StallLimit: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--stall-limit",
        metavar="DURATION",
        help="With --jobs or --engine: how long a file may make no progress before it is given up."
        "  [default: 10m]",
        show_default=False,
        rich_help_panel=_MANY,
    ),
]
MemoryLimit: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--memory-limit",
        metavar="GIB",
        help="With --jobs or --engine: the most memory a process may take; without it they share "
        "four fifths of the machine's.",
        rich_help_panel=_MANY,
    ),
]
Like: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--like",
        metavar="PHOTOS",
        help="Photographs of the event, or a folder of them: what looks like them counts for more. "
        "Repeatable.",
        rich_help_panel=_CHOICE,
    ),
]
Search: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--search",
        metavar="FOLDER",
        help="Look here, and below, for videos that are no longer where they were. Repeatable.",
    ),
]


class MarksOption(str, Enum):
    """Values of --marks."""

    strong = "strong"
    weak = "weak"
    ignore = "ignore"


Marks: TypeAlias = Annotated[
    MarksOption | None,
    typer.Option(
        "--marks",
        metavar="strong|weak|ignore",
        help="How much marks set while recording count: GoPro HiLights, Sony shot "
        "marks, chapters, a log NAME.marks.txt beside the video.  [default: weak]",
        show_default=False,
        rich_help_panel=_SHAPE,
    ),
]


MarksFrom: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--marks-from",
        metavar="TIMELINE",
        help="Markers of this timeline count as marks of the videos they lie over. Repeatable.",
        rich_help_panel=_SHAPE,
    ),
]


class ProxiesOption(str, Enum):
    """Values of --proxies."""

    auto = "auto"
    off = "off"


Proxies: TypeAlias = Annotated[
    ProxiesOption,
    typer.Option(
        "--proxies",
        metavar="auto|off",
        help="Look at the proxy beside a video (.LRV, .LRF, Proxy/, NAME_proxy) instead of the "
        "video where both have the same frames; timelines name the video.",
    ),
]
Draft: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--draft",
        help="Look at keyframes alone, for a first look; stored apart and marked as a draft.",
    ),
]
VisualOnly: TypeAlias = Annotated[
    bool, typer.Option("--visual-only", help="Judge by the picture alone, without the sound.")
]
