"""Joins the cuts of a timeline without encoding anything: fast, and only nearly where it says."""

from __future__ import annotations

from pathlib import Path

from hlcli.errors import OutputError, UsageError
from hlcli.media.probe import MediaInfo
from hlcli.media.remux import Stretch, copy_stretches
from hlcli.progress import Progress, silent
from hlcli.rendering.film import check_film
from hlcli.rendering.media import probe_sources
from hlcli.rendering.settings import RenderReport
from hlcli.rendering.shots import plan_shots
from hlcli.rendering.workspace import move_into_place, workspace
from hlcli.timeline.edit_list import EditList, Event


def render_copy(edit: EditList, output: Path, *, progress: Progress = silent) -> RenderReport:
    """Copy every event from keyframe to keyframe.

    Args:
        edit: What to render: one source at a time, nothing on top of anything else.
        output: Film to write; its folder must exist. Appears whole or not at all.
        progress: Called with cuts.

    Returns:
        The report; its remarks say by how many frames each cut is early and late, and how many
        frames the film is longer than the timeline.

    Raises:
        UsageError: The sources cannot be joined without encoding.
        MediaError: A source is missing, damaged or shorter than the timeline says.
        OutputError: The timeline is empty, or the film cannot be written.
    """
    check_film(edit, output)
    media = probe_sources(edit)
    shots = plan_shots(edit)
    events = [shot.event for shot in shots if shot.event is not None]
    if any(shot.event is not None and shot.record != shot.event.record for shot in shots):
        raise UsageError(
            "--copy cannot render events that lie on top of one another",
            hint="leave --copy out",
        )
    if not events:
        raise OutputError("there is no picture on the timeline", hint="leave --copy out")
    stretches = [_stretch(event, media[event.source.path].picture) for event in events]
    with workspace(output) as folder:
        made = folder / f"film{output.suffix.lower()}"
        try:
            copied = copy_stretches(
                stretches,
                made,
                on_copied=lambda done: progress("copying", done, len(stretches)),
            )
        except OSError as error:
            raise OutputError(
                f"cannot write {output}: {error.strerror or error}", hint="free some space"
            ) from error
        move_into_place(made, output)
    report = RenderReport(path=output, num_frames=0, encoder="copy")
    asked = 0
    for number, (event, wanted, found) in enumerate(
        zip(events, stretches, copied, strict=True), start=1
    ):
        rate = event.source.frame_rate
        early = round((wanted.start_seconds - found.start_seconds) * rate)
        late = round((found.end_seconds - wanted.end_seconds) * rate)
        asked += len(event.frames)
        report.num_frames += len(event.frames) + early + late
        report.remarks.append(f"cut {number}: {_frames(early)} early, {_frames(late)} late")
    report.remarks.append(
        f"the film has {_frames(report.num_frames)} instead of {asked}: "
        f"{_frames(report.num_frames - asked)} too many"
    )
    if len(events) < len(shots):
        report.remarks.append("gaps of the timeline were closed: there is nothing to copy for them")
    return report


def _stretch(event: Event, info: MediaInfo) -> Stretch:
    sounds = {sound.track: sound.stream for sound in event.sound}
    return Stretch(
        info=info,
        start_seconds=event.frames.start / event.source.frame_rate,
        end_seconds=event.frames.stop / event.source.frame_rate,
        sounds=tuple(
            sounds[track] for track in sorted(sounds) if sounds[track] < len(info.audio_streams)
        ),
    )


def _frames(number: int) -> str:
    return f"{number} frame" if abs(number) == 1 else f"{number} frames"
