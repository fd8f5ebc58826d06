"""Transcripts beside videos: which belongs to which, and whether it can be of that video at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hlcli.atomic import check_not_a_source
from hlcli.document import Caption, ScoresDocument, read_transcript
from hlcli.document.transcript import SUFFIXES, agreement
from hlcli.errors import DocumentError, UsageError
from hlcli.media.discover import MayRead, any_file
from hlcli.progress import Listener
from hlcli.timeline.formats import FORMATS
from hlcli.timeline.paths import media_path, readable

TOLERATED_SECONDS = 2.0
"""By how much a transcript may go on after its video."""
LEAST_AGREEMENT = 0.25
"""Share of a transcript's time in which somebody must be heard speaking."""
_LEAST_SECONDS = 10.0  # of captions, for judging by the sound


@dataclass(frozen=True, slots=True)
class Transcript:
    """A transcript and its file."""

    path: Path
    captions: tuple[Caption, ...]


def read_transcripts(
    names: Sequence[str | Path],
    *,
    outputs: Sequence[Path] = (),
    are_all: bool = False,
    may_read: MayRead = any_file,
) -> list[Transcript]:
    """Read the files of --transcript.

    Args:
        names: The files.
        outputs: Files about to be written, none of which may be one of them.
        are_all: Whether there are no others, in documents for example: without any, captions are
            refused.
        may_read: Asked before one is opened.

    Raises:
        DocumentError: One is missing or is no transcript.
        UsageError: An output is one of them, or captions shall be made of nothing.
    """
    paths = [may_read(Path(name).expanduser()) for name in names]
    for output in outputs:
        check_not_a_source(output, paths)
        known = FORMATS.get(output.suffix.lower())
        if known is not None and known.kind == "captions" and are_all and not names:
            raise UsageError(
                f"{output} has no transcript to be made of",
                hint="name one: --transcript FILE.srt, .vtt or .json",
            )
    return [Transcript(path, read_transcript(path)) for path in paths]


def transcripts_of(
    transcripts: Sequence[Transcript],
    videos: Sequence[str | Path],
    *,
    option: str = "--transcript",
) -> list[Transcript | None]:
    """Return the transcript of each video: the only one of the only video, else by the name.

    `talk.srt` and `talk.en.srt` belong to `talk.mp4`.

    Raises:
        UsageError: A transcript has the name of no video.
    """
    if len(videos) == 1 and len(transcripts) == 1:
        return list(transcripts)
    found: list[Transcript | None] = [None] * len(videos)
    for transcript in transcripts:
        stem = transcript.path.stem
        belongs = [
            index
            for index, video in enumerate(videos)
            if f"{stem}.".startswith(f"{media_path(str(video)).stem}.")
        ]
        if not belongs and videos:
            raise UsageError(
                f"{option} {transcript.path}: none of the {len(videos)} videos is called so",
                hint="with several videos, a transcript is called as its own: talk.mp4, talk.srt",
            )
        for index in belongs:
            found[index] = transcript
    return found


def transcript_beside(video: Path) -> Path | None:
    """Return the transcript that lies beside a video: `talk.srt` or `talk.en.srt` of `talk.mp4`.

    A `.json` counts only where it is a transcript: scores documents lie beside videos, too.

    Args:
        video: The video file.
    """
    try:
        names = sorted(path.name for path in video.parent.iterdir())
    except OSError:
        return None
    stem = re.escape(video.stem.lower())
    for suffix in SUFFIXES:
        wanted = re.compile(rf"{stem}(\.[a-z]{{2,3}}(-[a-z0-9]+)?)?{re.escape(suffix)}")
        for name in names:
            path = video.parent / name
            if wanted.fullmatch(name.lower()) and (suffix != ".json" or _is_transcript(path)):
                return path
    return None


def _is_transcript(path: Path) -> bool:
    try:
        return bool(read_transcript(path))
    except DocumentError:
        return False


def goes_on_after(transcript: Transcript, video: str, duration: float) -> str:
    """Return a sentence about a transcript that is too long for its video; "" where it fits.

    Args:
        transcript: The transcript.
        video: Path of the video.
        duration: Its length, in seconds.
    """
    last = max(caption.end_seconds for caption in transcript.captions)
    if last <= duration + TOLERATED_SECONDS:
        return ""
    return (
        f"{transcript.path} goes on to {last:.1f} s, {readable(media_path(video).name)} ends at "
        f"{duration:.1f} s: it is of another film, and was left out"
    )


def with_transcript(
    document: ScoresDocument, transcript: Transcript | None, on: Listener
) -> ScoresDocument:
    """Return a document with its transcript; one that cannot be of that video is left out."""
    if transcript is None:
        return document
    captions = transcript.captions
    video = readable(media_path(document.video.path).name)
    duration = document.video.duration_seconds
    if words := goes_on_after(transcript, document.video.path, duration):
        on.warning(words)
        return document
    seconds = sum(caption.end_seconds - caption.start_seconds for caption in captions)
    if document.speech is not None and seconds >= _LEAST_SECONDS:
        share = agreement(captions, document.speech)
        if share < LEAST_AGREEMENT:
            on.warning(
                f"{video} has speech in only {100 * share:.0f} % of the time of {transcript.path}: "
                "it is of another film, or out of step, and was left out"
            )
            return document
    captions = tuple(caption for caption in captions if caption.start_seconds < duration)
    return replace(document, transcript=captions)
