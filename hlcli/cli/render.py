"""`hl render`: a finished film from a timeline."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from hlcli.cli import options
from hlcli.cli.console import ConsoleListener, say

_PICTURE = "Picture"
_SOUND = "Sound"
_ENCODING = "Encoding"


class AudioOption(str, Enum):
    """Values of --audio."""

    mix = "mix"
    all = "all"
    first = "first"


def render(
    timeline: Annotated[
        Path,
        typer.Argument(help="Timeline to render.", metavar="TIMELINE", show_default=False),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILM",
            help="Film to write: .mp4, .mov (PCM sound) or .mkv (FLAC sound); with --each also a "
            "folder.",
            show_default=False,
        ),
    ],
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="WxH|1080p|720p",
            help="Size of the picture; 1080p is the length of its shorter side.  "
            "[default: the timeline's]",
            rich_help_panel=_PICTURE,
            show_default=False,
        ),
    ] = None,
    vertical: Annotated[
        bool,
        typer.Option(
            "--vertical",
            help="Crop to 9:16 for phones; the crop follows faces, else what moves.",
            rich_help_panel=_PICTURE,
        ),
    ] = False,
    crossfade: Annotated[
        str | None,
        typer.Option(
            "--crossfade",
            metavar="DURATION",
            help="Blend picture and sound at each cut, with footage from beyond it: 500ms, 1s.",
            rich_help_panel=_PICTURE,
            show_default=False,
        ),
    ] = None,
    captions: Annotated[
        list[str] | None,
        typer.Option(
            "--captions",
            metavar="FILE",
            help="Draw what is said into the picture: the transcript of the source, as .srt, .vtt "
            "or whisper's .json. With several sources, called as its source. Repeatable.",
            rich_help_panel=_PICTURE,
            show_default=False,
        ),
    ] = None,
    font: Annotated[
        str | None,
        typer.Option(
            "--font",
            metavar="FILE",
            help="Font of the captions, .ttf or .otf.  [default: one of the system]",
            rich_help_panel=_PICTURE,
            show_default=False,
        ),
    ] = None,
    audio: Annotated[
        AudioOption,
        typer.Option(
            "--audio",
            metavar="mix|all|first",
            help="Several sound tracks: mixed into one, all kept, or only the first.",
            rich_help_panel=_SOUND,
        ),
    ] = AudioOption.mix,
    music: Annotated[
        str | None,
        typer.Option(
            "--music",
            metavar="FILE",
            help="Music under the film, lower where somebody speaks; too short, it starts "
            "again, and it fades out at the end.",
            rich_help_panel=_SOUND,
            show_default=False,
        ),
    ] = None,
    music_level: Annotated[
        float | None,
        typer.Option(
            "--music-level",
            metavar="DB",
            help="Level of the music in dB; 0 is as in its file.  [default: -10]",
            rich_help_panel=_SOUND,
            show_default=False,
        ),
    ] = None,
    encoder: Annotated[
        str,
        typer.Option(
            "--encoder",
            metavar="NAME",
            help="auto (software), hardware (the first that works here), or an ffmpeg encoder: "
            "libx265, h264_nvenc, ...",
            rich_help_panel=_ENCODING,
        ),
    ] = "auto",
    quality: Annotated[
        int | None,
        typer.Option(
            "--quality",
            "--crf",
            metavar="N",
            min=0,
            max=51,
            help="Constant quality, lower is better.  [default: 18 for H.264]",
            rich_help_panel=_ENCODING,
            show_default=False,
        ),
    ] = None,
    copy: Annotated[
        bool,
        typer.Option(
            "--copy",
            help="Join without encoding, from keyframe to keyframe: fast, and says by how many "
            "frames each cut is off.",
            rich_help_panel=_ENCODING,
        ),
    ] = False,
    each: Annotated[
        bool,
        typer.Option(
            "--each",
            help="One film for each cut: reel-01.mp4, reel-02.mp4, ...",
        ),
    ] = False,
    search: options.Search = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No words but errors.")] = False,
) -> None:
    """Render a timeline to a film: the same frames, the same samples, nothing more.

    Sources of other sizes are fitted in, of other rates conformed by time.

    Examples:
        hl render highlights.otio -o reel.mp4

        hl render highlights.otio -o short.mp4 --vertical --size 1080p --crossfade 500ms

        hl render talk.otio -o reel.mp4 --captions talk.srt

        hl render highlights.otio -o quick.mov --copy

        hl render highlights.otio -o clips/ --each
    """
    from hlcli.workflows.render import render_films
    from hlcli.workflows.requests import render_settings_of

    settings = render_settings_of(
        size=size,
        vertical=vertical,
        crossfade=crossfade,
        audio=audio.value,
        captions=bool(captions),
        font=font,
        music=music,
        music_level=music_level,
        encoder=encoder,
        quality=quality,
        copy=copy,
    )
    timeline, output = timeline.expanduser(), output.expanduser()
    folders = [Path(folder).expanduser() for folder in search or []]
    with ConsoleListener(quiet=quiet, counts_video_seconds=not copy) as on:
        reports = render_films(
            timeline,
            output,
            settings,
            each=each,
            copy=copy,
            captions=captions or [],
            search=folders,
            on=on,
        )
    for report in reports:
        say(f"wrote {report.path}: {report.num_frames} frames, {report.encoder}", quiet=quiet)
    on.exit_if_failed()
