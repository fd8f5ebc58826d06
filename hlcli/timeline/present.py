"""Scores documents and the files they are about: where those are now, and what they are now."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from hlcli.document import ScoresDocument, VideoRecord
from hlcli.media.identity import content_identity
from hlcli.moments import Moment
from hlcli.timeline.paths import is_file, media_path, readable
from hlcli.timeline.relink import Relinker, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A scores document that fits its file as it is now."""

    document: ScoresDocument
    """The document, with the path, the facts and the moments that hold now."""
    notes: tuple[str, ...] = ()
    """What had to change, and what will not open, one sentence each."""


def as_it_is_now(
    document: ScoresDocument, relinker: Relinker, *, is_elsewhere: bool = False
) -> Present:
    """Look for the file of a document, and fit the document to what is found.

    A file that is not there is looked for by name and content. One that has other content than when
    it was scored is measured: moments past the end of a shorter one are cut short or left out.

    Args:
        document: The document, with its moments.
        relinker: Looks below the folders of --search.
        is_elsewhere: Whether the file is known to be on another machine: nothing is said then.

    Raises:
        MediaError: The file cannot be read; or what has its name is several files, or another.
    """
    video = document.video
    here = Path(video.path)
    is_here = media_path(video.path).is_absolute() and is_file(here)
    if is_here and content_identity(here) == video.sha256_head:
        return Present(document=document)
    found = relinker.find(Wanted(path=video.path, sha256_head=video.sha256_head))
    if found is not None:
        return Present(document=replace(document, video=replace(video, path=str(found))))
    if not is_here:
        if is_elsewhere or not document.moments:
            return Present(document=document)
        note = (
            f"{readable(video.path)} is not there: the timeline names it all the same and opens "
            "without its media, unless --search names the folder it is in now"
        )
        return Present(document=document, notes=(note,))
    return _fitted(document, here)


def _fitted(document: ScoresDocument, here: Path) -> Present:
    """Fit a document to a file that is not what was scored."""
    # Here, because most documents need no video decoder.
    from hlcli.media.probe import probe

    old = document.video
    new = VideoRecord.from_media(probe(here), content_identity(here))
    notes = [f"{readable(str(here))} has changed since it was scored"]
    differences = [
        f"{what} was {before}, is {after}"
        for what, before, after in (
            ("its rate", old.frame_rate, new.frame_rate),
            ("its timecode", old.start_timecode, new.start_timecode),
            ("its number of sound tracks", len(old.audio), len(new.audio)),
        )
        if before != after
    ]
    if differences:
        notes[0] += ": " + ", ".join(differences)
    duration = min(old.duration_seconds, new.duration_seconds)
    if duration == old.duration_seconds:
        # What was added to it has no scores.
        frames = min(new.num_frames, math.ceil(round(duration * new.frame_rate, 3)))
        new = replace(new, duration_seconds=duration, num_frames=max(1, frames))
    # Shorter than half a frame is nothing.
    shortest = float(1 / (2 * new.frame_rate))
    kept = [moment for moment in document.moments if moment.start_seconds < duration - shortest]
    cut = sum(moment.end_seconds > duration + shortest for moment in kept)
    gone = len(document.moments) - len(kept)
    if new.num_frames / new.frame_rate < old.duration_seconds - shortest:
        words = [f"it is {old.duration_seconds - duration:.3f} seconds shorter"]
        words += [f"{_moments(gone)} past its end left out"] * bool(gone)
        words += [f"{_moments(cut)} cut short there"] * bool(cut)
        notes.append(f"{here.name}: " + ", ".join(words))
    count = max(1, math.ceil(round(duration / document.clip_seconds, 6)))
    return Present(
        document=replace(
            document,
            video=new,
            scores=document.scores[:count],
            raw_scores=document.raw_scores[:count],
            picture_scores=None
            if document.picture_scores is None
            else document.picture_scores[:count],
            sound_scores=None if document.sound_scores is None else document.sound_scores[:count],
            shot_boundaries_seconds=tuple(
                instant for instant in document.shot_boundaries_seconds if instant < duration
            ),
            moments=tuple(_ending(moment, duration) for moment in kept),
        ),
        notes=tuple(notes),
    )


def _ending(moment: Moment, duration: float) -> Moment:
    end = min(moment.end_seconds, duration)
    return replace(moment, end_seconds=end, peak_seconds=min(moment.peak_seconds, end))


def _moments(count: int) -> str:
    return f"{count} moment" if count == 1 else f"{count} moments"
