"""Films from timelines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hlcli.media.discover import MayRead, any_file
from hlcli.progress import Listener
from hlcli.rendering.copying import render_copy
from hlcli.rendering.run import render as render_edit
from hlcli.rendering.settings import RenderReport, RenderSettings
from hlcli.timeline.read import read_timeline


def render(
    timeline: str | Path,
    film: str | Path,
    settings: RenderSettings | None = None,
    *,
    copy: bool = False,
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
        search: Folders to look in for media that is not where the timeline says.
        may_read: Asked before the timeline or its media is opened.
        on: Told how far it is, and everything that the film is not.

    Raises:
        UsageError: An extension or the encoder is unknown, or the film is one of the sources.
        MediaError: The timeline or its media cannot be read.
        OutputError: The timeline is empty, or the film cannot be written.
    """
    on = on or Listener()
    timeline, film = Path(timeline), Path(film)
    read = read_timeline(may_read(timeline), search=search, may_read=may_read)
    for source in read.edit.sources:
        may_read(Path(source.path))
    for note in read.notes:
        on.remark(f"{timeline.name}: {note}")
    if copy:
        report = render_copy(read.edit, film, progress=on.progress)
    else:
        report = render_edit(read.edit, film, settings, progress=on.progress)
    for remark in report.remarks:
        on.remark(remark)
    return report
