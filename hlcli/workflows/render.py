"""Films from timelines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hlcli.atomic import check_not_a_source, make_folder
from hlcli.errors import HlError, UsageError
from hlcli.media.discover import MayRead, any_file
from hlcli.progress import Listener
from hlcli.rendering.copying import render_copy
from hlcli.rendering.film import render as render_edit
from hlcli.rendering.music import FindSpeech
from hlcli.rendering.settings import RenderReport, RenderSettings
from hlcli.timeline.edit_list import EditList, excerpt
from hlcli.timeline.read import read_timeline
from hlcli.workflows.transcripts import goes_on_after, read_transcripts, transcripts_of
from hlcli.zoo.manifest import SPEECH_DETECTOR


def render(
    timeline: str | Path,
    film: str | Path,
    settings: RenderSettings | None = None,
    *,
    copy: bool = False,
    captions: Sequence[str | Path] = (),
    search: Sequence[Path] = (),
    may_read: MayRead = any_file,
    on: Listener | None = None,
) -> RenderReport:
    """Render a timeline to a film, as `hl render` does.

    Args:
        timeline: Any timeline that hl reads.
        film: What to write: .mp4, .mov or .mkv.
        settings: How; None is as the timeline is.
        copy: Join without encoding, from keyframe to keyframe; `settings` does not count then.
        captions: Transcripts of the sources, drawn into the picture; with several sources, each
            is called as its own.
        search: Folders to look in for media that is not where the timeline says.
        may_read: Asked before the timeline or its media is opened.
        on: Notified of progress, and everything that the film is not.

    Raises:
        UsageError: An extension or the encoder is unknown, or the film is one of the sources.
        DocumentError: A transcript cannot be read.
        MediaError: The timeline or its media cannot be read.
        OutputError: The timeline is empty, or the film cannot be written.
    """
    on = on or Listener()
    film = Path(film)
    edit = _read(Path(timeline), search, may_read, on)
    edit, settings = _captioned(edit, settings, captions, film, may_read, on)
    return _rendered(edit, film, settings, copy, on)


def render_films(
    timeline: str | Path,
    output: str | Path,
    settings: RenderSettings | None = None,
    *,
    each: bool = False,
    copy: bool = False,
    captions: Sequence[str | Path] = (),
    search: Sequence[Path] = (),
    may_read: MayRead = any_file,
    on: Listener | None = None,
) -> list[RenderReport]:
    """Render a timeline to one film, or with `each` to one for each cut; see those two."""
    if each:
        return render_each(
            timeline, output, settings, copy=copy, captions=captions, search=search,
            may_read=may_read, on=on,
        )  # fmt: skip
    report = render(
        timeline, output, settings, copy=copy, captions=captions, search=search,
        may_read=may_read, on=on,
    )  # fmt: skip
    return [report]


def render_each(
    timeline: str | Path,
    output: str | Path,
    settings: RenderSettings | None = None,
    *,
    copy: bool = False,
    captions: Sequence[str | Path] = (),
    search: Sequence[Path] = (),
    may_read: MayRead = any_file,
    on: Listener | None = None,
) -> list[RenderReport]:
    """Render every cut of a timeline to a film of its own, as `hl render --each` does.

    One that cannot be rendered does not stop those after it, where a listener takes the problem.

    Args:
        timeline: Any timeline that hl reads.
        output: What to call the films: `reel.mp4` gives `reel-01.mp4`, `reel-02.mp4`; or a folder,
            which is made if it has no extension and is not there: there they have the timeline's
            name and are .mp4.
        settings: See `render`.
        copy: See `render`.
        captions: See `render`.
        search: See `render`.
        may_read: See `render`.
        on: See `render`.

    Raises:
        HlError: See `render`.
    """
    on = on or Listener()
    timeline, output = Path(timeline), Path(output)
    edit = _read(timeline, search, may_read, on)
    edit, settings = _captioned(edit, settings, captions, output, may_read, on)
    if not output.suffix:
        make_folder(output, hint="name a folder you may write to")
    pattern = output / f"{timeline.stem}.mp4" if output.is_dir() else output
    shown = [event.record for event in edit.events if event.video_track is not None]
    digits = max(2, len(str(len(shown))))
    reports = []
    for number, record in enumerate(shown, start=1):
        film = pattern.with_name(f"{pattern.stem}-{number:0{digits}d}{pattern.suffix}")
        with on.one_file(film):
            reports.append(_rendered(excerpt(edit, record), film, settings, copy, on))
    return reports


def _read(timeline: Path, search: Sequence[Path], may_read: MayRead, on: Listener) -> EditList:
    read = read_timeline(may_read(timeline), search=search, may_read=may_read)
    for source in read.edit.sources:
        may_read(Path(source.path))
    for note in read.notes:
        on.remark(f"{timeline.name}: {note}")
    return read.edit


def _captioned(
    edit: EditList,
    settings: RenderSettings | None,
    names: Sequence[str | Path],
    film: Path,
    may_read: MayRead,
    on: Listener,
) -> tuple[EditList, RenderSettings | None]:
    """Give the sources of a timeline the captions that shall be drawn."""
    for file in () if settings is None else (settings.font, settings.music):
        if file is not None:
            may_read(file)
    if not names:
        return edit, settings
    transcripts = read_transcripts(names, may_read=may_read)
    check_not_a_source(film, [one.path for one in transcripts])
    seen = [event.source for event in edit.events if event.video_track is not None]
    videos = list(dict.fromkeys(source.path for source in seen or edit.sources))
    read = transcripts_of(transcripts, videos, option="--captions")
    lengths = {source.path: float(source.duration_seconds) for source in edit.sources}
    said = {}
    for path, transcript in zip(videos, read, strict=True):
        if transcript is None:
            continue
        if words := goes_on_after(transcript, path, lengths[path]):
            on.warning(words)
            continue
        said[path] = transcript.captions
    if edit.events and not said:
        raise UsageError(
            f"{film}: no transcript is left to make captions of",
            hint="name the transcript of the source, not of the cut: --captions talk.srt",
        )
    events = tuple(
        replace(event, source=replace(event.source, captions=said.get(event.source.path, ())))
        for event in edit.events
    )
    return replace(edit, events=events), replace(settings or RenderSettings(), captions=True)


def _rendered(
    edit: EditList, film: Path, settings: RenderSettings | None, copy: bool, on: Listener
) -> RenderReport:
    if copy:
        report = render_copy(edit, film, progress=on.progress)
    else:
        find_speech = _speech_finder(on) if settings is not None and settings.music else None
        report = render_edit(edit, film, settings, find_speech=find_speech, progress=on.progress)
    for remark in report.remarks:
        on.remark(remark)
    return report


def _speech_finder(on: Listener) -> FindSpeech | None:
    """Return what finds the speech that music goes down under; None where it cannot be loaded."""
    # torch is loaded for films with music alone.
    from hlcli.features.encoders import load_speech

    try:
        detector = load_speech(SPEECH_DETECTOR)
    except HlError as error:
        on.remark(f"{error.message}: music goes down wherever the film is loud")
        return None

    def find(blocks: Iterable[npt.NDArray[np.float32]]) -> npt.NDArray[np.float64]:
        listener = detector.listener()
        for block in blocks:
            listener.extend(block)
        return listener.finish()

    return find
