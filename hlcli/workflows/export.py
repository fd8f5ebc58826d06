"""Choosing again: stored scores or documents, fitted to their files as they are now."""

from __future__ import annotations

import functools
import glob
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from hlcli import scores_cache
from hlcli.atomic import check_not_a_source
from hlcli.clock_text import clock_text
from hlcli.document import ScoresDocument, VideoRecord, find_moments, read_documents
from hlcli.document.takes import choose_across, with_takes
from hlcli.errors import HlError, MediaError
from hlcli.media.discover import MayRead, any_file, find_videos
from hlcli.media.identity import content_identity
from hlcli.media.unusable import in_words
from hlcli.moments import Moment, Observation, Selection
from hlcli.progress import Listener
from hlcli.timeline.build import Layout
from hlcli.timeline.formats import FORMATS
from hlcli.timeline.paths import is_file, map_path, media_path, readable
from hlcli.timeline.relink import MissingMedia, Relinker
from hlcli.workflows.likeness import Photographs
from hlcli.workflows.outputs import output_paths, write_outputs
from hlcli.workflows.recordings import chapters_together, find_recordings, may_go_on
from hlcli.workflows.requests import check_stretches
from hlcli.workflows.transcripts import (
    Transcript,
    read_transcripts,
    transcripts_of,
    with_transcript,
)
from hlcli.zoo.manifest import find_detector

NUM_CANDIDATES = 5
"""How many of the best moments are listed where nothing stands out."""
_Found: TypeAlias = tuple[ScoresDocument, bool]
"""A document, and whether its moments are its own."""


def export(
    scores: ScoresDocument | str | Path | Sequence[ScoresDocument | str | Path],
    outputs: str | Path | Sequence[str | Path],
    *,
    selection: Selection | None = None,
    targets: Sequence[str] = (),
    layout: Layout | None = None,
    model: str | None = None,
    visual_only: bool = False,
    search: Sequence[Path] = (),
    transcripts: Sequence[str | Path] = (),
    like: Sequence[str | Path] = (),
    on: Listener | None = None,
) -> list[Path]:
    """Write timelines, chapters, tables or documents without decoding, as `hl export` does.

    Args:
        scores: Documents, or what `hl export` takes: files of documents, videos scored before.
        outputs: Files, whose extensions say what to write, or folders: a timeline for each video.
        selection: Which moments to keep; None keeps those of a document.
        targets: Programs to write for, as `--for` names them.
        layout: How the moments lie on the timeline; None as they happened.
        model: Only stored scores by this detector; None takes those that were made or shown last.
        visual_only: Only stored scores of the picture alone.
        search: Folders to look in for videos that are no longer where they were.
        transcripts: Files of what is said, each called as its video where there are several.
        like: Photographs of the event, and folders of them: what looks like them counts for more.
        on: Notified of what is written or could not be; without one the first problem raises.

    Returns:
        The files written.

    Raises:
        UsageError: An extension or a program is unknown, or they do not go together.
        MediaError: A video cannot be read, or has not been scored.
        DocumentError: A document is damaged.
        OutputError: A file cannot be written.
    """
    layout = layout or Layout()
    files = output_paths([outputs] if isinstance(outputs, (str, Path)) else outputs, targets)
    given = [scores] if isinstance(scores, (ScoresDocument, str, Path)) else scores
    read = read_transcripts(transcripts, outputs=files)
    found: list[_Found] = []
    for one in given:
        if isinstance(one, ScoresDocument):
            found.append((one, True))
        else:
            found += _found(
                [str(one)],
                model=model,
                visual_only=visual_only,
                outputs=files,
                may_read=any_file,
                on=on or Listener(),
            )
    photographs = Photographs(like) if like else None
    documents = _chosen(found, selection, read, photographs, on or Listener())
    documents = relink_documents(
        documents, search=search, without_media=need_no_media(files), layout=layout, on=on
    )
    return write_outputs(files, documents, targets=targets, layout=layout, on=on)


def stored_documents(
    inputs: Sequence[str],
    selection: Selection | None = None,
    *,
    model: str | None = None,
    visual_only: bool = False,
    outputs: Sequence[Path] = (),
    transcripts: Sequence[Transcript] = (),
    like: Photographs | None = None,
    may_read: MayRead = any_file,
    on: Listener | None = None,
) -> list[ScoresDocument]:
    """Find the scores of every input and choose moments from them, without decoding.

    Args:
        inputs: Videos scored before (files, folders, globs), or scores documents.
        selection: Which moments to keep; None is the default rule, and a document keeps its own.
        model: Only scores by this detector; None takes those that were made or shown last.
        visual_only: Only scores of the picture alone.
        outputs: Files about to be written, none of which may be one of the videos.
        transcripts: What is said, see `transcripts_of`; a document keeps its moments all the same.
        like: Photographs; what looks like them counts for more, and all moments are chosen anew.
        may_read: Asked before anything is opened.
        on: Notified of inputs that cannot be used; without one the first raises.

    Returns:
        The documents in the order of the inputs, the files of a recording after one another.

    Raises:
        UnknownModelError: There is no such detector.
        UsageError: A transcript has the name of no video.
    """
    on = on or Listener()
    found = _found(
        inputs,
        model=model,
        visual_only=visual_only,
        outputs=outputs,
        may_read=may_read,
        on=on,
    )
    return _chosen(found, selection, transcripts, like, on)


def _found(
    inputs: Sequence[str],
    *,
    model: str | None,
    visual_only: bool,
    outputs: Sequence[Path],
    may_read: MayRead,
    on: Listener,
) -> list[_Found]:
    """Find documents, and say of each whether its moments are its own; see `stored_documents`."""
    model_sha256 = None if model is None else find_detector(model).sha256
    documents: list[_Found] = []
    for text in inputs:
        if text.lower().endswith(".json"):
            for file in _document_files(text):
                with on.one_file(file):
                    documents += [(document, True) for document in read_documents(may_read(file))]
            continue
        with on.one_file(text):
            for path in find_videos([text], may_read=may_read, on=on):
                for output in outputs:
                    check_not_a_source(output, [path])
                with on.one_file(path):
                    find = functools.partial(
                        scores_cache.find,
                        content_identity(path),
                        model_sha256,
                        "v" if visual_only else None,
                    )
                    document = find()
                    if document is None:
                        draft = find(draft=True)
                        raise _not_scored(
                            path, model, visual_only=visual_only, has_draft=draft is not None
                        )
                    # It may have been moved since it was scored.
                    document = replace(document, video=replace(document.video, path=str(path)))
                    documents.append((document, False))
    return documents


def choose_moments(
    document: ScoresDocument, selection: Selection | None, on: Listener
) -> ScoresDocument:
    """Return a document with its moments chosen anew; a wish that cannot be met is told."""
    length = document.video.duration_seconds
    video = media_path(document.video.path).name
    for stretch in () if selection is None else selection.of_video(video).pins:
        if stretch.start_seconds >= length:
            on.warning(
                f"--pin: {readable(video)} ends at {length:.1f} s, before "
                f"{stretch.start_seconds:g} s"
            )
    if not may_go_on(document):
        _tell_if_short([document], selection, on)
    moments = find_moments(document, selection)
    name = readable(media_path(document.video.path).name)
    if document.unusable and not (selection is not None and selection.keep_all):
        on.remark(f"{name}: left out {in_words(document.unusable)}; --keep-all lets it in")
    chosen = selection or Selection()
    return document.with_moments(moments, [] if moments else _candidates(document, chosen))


def _tell_if_short(
    documents: Sequence[ScoresDocument], selection: Selection | None, on: Listener
) -> None:
    """Say that a video, or the files of one recording, are shorter than what was asked for."""
    wanted = None if selection is None else selection.target_duration_seconds
    length = sum(document.video.duration_seconds for document in documents)
    if wanted is not None and wanted > length:
        names = ", ".join(readable(media_path(one.video.path).name) for one in documents)
        verb = "is" if len(documents) == 1 else "are"
        on.remark(
            f"{names} {verb} {length:.1f} s long, shorter than the target of {wanted:g} s: all of "
            "it is kept"
        )


def _candidates(document: ScoresDocument, selection: Selection) -> list[Moment]:
    """Return the best moments for who asked for no number, where nothing stands out."""
    rules = (selection.top, selection.threshold, selection.target_duration_seconds)
    if rules != (None,) * 3:
        return []
    return find_moments(document, replace(selection, top=NUM_CANDIDATES))


def choose_across_files(
    documents: Sequence[ScoresDocument], selection: Selection | None, on: Listener
) -> list[ScoresDocument]:
    """Choose again what concerns several files of a run: recordings in several files, and takes.

    A recording that a camera split is chosen from as one file. Of the takes that several files have
    one is kept; the others become alternatives.

    Args:
        documents: All documents of the run with the moments that `choose_moments` chose.
        selection: How they were chosen.
        on: Told which files are one recording, and which file has other moments for a take.

    Returns:
        The documents, the files of a recording after one another, in the order of time.
    """
    chosen = selection or Selection()
    documents = chapters_together(documents)
    recordings = find_recordings(documents)
    for recording in recordings:
        names = ", ".join(
            readable(media_path(document.video.path).name) for document in recording.documents
        )
        length, count = recording.starts[-1], len(recording.documents)
        on.remark(f"one recording of {clock_text(length)} in {count} files: {names}")
        chosen = recording.of_selection(chosen)
    whole = {place: document for place, document in enumerate(documents)}
    for recording in recordings:
        for place in recording.places:
            del whole[place]
        _tell_if_short(recording.documents, selection, on)
    for document in whole.values():
        if may_go_on(document):
            _tell_if_short([document], selection, on)
    for recording in recordings:
        joined = recording.joined()
        moments = find_moments(joined, chosen)
        whole[recording.places[0]] = joined.with_moments(
            moments, [] if moments else _candidates(joined, chosen)
        )
    before = dict(sorted(whole.items()))
    after = dict(before)
    if not chosen.keep_takes and len(before) > 1:
        across = choose_across(list(before.values()), chosen, find_moments)
        after = dict(zip(before, across, strict=True))
    for place, document in after.items():
        old, new = ({(m.start_seconds, m.end_seconds) for m in one.moments}
                    for one in (before[place], document))  # fmt: skip
        if gone := len(old - new):
            on.remark(
                f"{readable(media_path(document.video.path).name)}: {_moments(gone)} left out that "
                "other files have a better take of; --keep-takes keeps every take"
            )
    for recording in recordings:
        parts = recording.split(after[recording.places[0]])
        after.update(zip(recording.places, parts, strict=True))
    result = [after[place] for place in sorted(after)]
    # Takes of a recording have its clock until here.
    return with_takes(result) if recordings and not chosen.keep_takes else result


def _chosen(
    found: Sequence[_Found],
    selection: Selection | None,
    transcripts: Sequence[Transcript],
    like: Photographs | None,
    on: Listener,
) -> list[ScoresDocument]:
    """Return documents with their transcripts, and with their own moments or those asked for."""
    videos = [document.video.path for document, _ in found]
    check_stretches(selection, videos)
    said = transcripts_of(transcripts, videos)
    documents: list[ScoresDocument] = []
    has_any_own = selection is None and any(has_own for _, has_own in found)
    for (document, has_own), transcript in zip(found, said, strict=True):
        keeps = has_own and selection is None and like is None
        with on.one_file(document.video.path):
            if like is not None:
                document = like.likened(document, on)
            with_words = with_transcript(document, transcript, on)
            documents.append(with_words if keeps else choose_moments(with_words, selection, on))
    if has_any_own:
        return chapters_together(documents)
    return choose_across_files(documents, selection, on)


def _document_files(text: str) -> list[Path]:
    path = Path(text).expanduser()
    if path.exists():
        return [path]
    # A Windows shell leaves patterns to the program.
    return [Path(name) for name in sorted(glob.glob(str(path), recursive=True))] or [path]  # noqa: PTH207


def _not_scored(path: Path, model: str | None, *, visual_only: bool, has_draft: bool) -> MediaError:
    asked = (f" by the model {model}" if model else "") + (
        " by its picture alone" if visual_only else ""
    )
    wanted = (f" --model {model}" if model else "") + (" --visual-only" if visual_only else "")
    known = "; there is a draft of it only" if has_draft else ""
    return MediaError(
        f"{path} has not been scored yet{asked}{known}", hint=f"run `hl score {path}{wanted}` first"
    )


def need_no_media(outputs: Sequence[Path]) -> bool:
    """Whether outputs are tables and documents only, which nobody opens with the media."""
    formats = [FORMATS.get(path.suffix.lower()) for path in outputs]
    return all(one is not None and one.kind != "timeline" for one in formats)


def relink_documents(
    documents: Sequence[ScoresDocument],
    *,
    search: Sequence[Path] = (),
    without_media: bool = False,
    layout: Layout,
    may_read: MayRead = any_file,
    on: Listener | None = None,
) -> list[ScoresDocument]:
    """Look for the videos of documents; what has moved, changed or gone is told.

    Args:
        documents: Documents with their moments.
        search: Folders to look in for videos that are not where they were.
        without_media: Whether nobody minds that a video is gone.
        layout: Its path maps name folders of another machine, where nothing is looked for.
        may_read: Asked before a video is looked at.
        on: Notified of what changed, and of videos that cannot be used.
    """
    on = on or Listener()
    relinker = Relinker(search, may_read=may_read)
    found: list[ScoresDocument] = []
    for document in documents:
        path = document.video.path
        with on.one_file(path):
            relinked = relink_document(
                document,
                relinker,
                is_elsewhere=without_media or map_path(path, layout.path_maps) != path,
                may_read=may_read,
            )
            for note in relinked.notes:
                on.warning(note)
            found.append(relinked.document)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Relinked:
    """A scores document that fits its file as it is now."""

    document: ScoresDocument
    """The document, with the path, the facts and the moments that hold now."""
    notes: tuple[str, ...] = ()
    """What had to change, and what will not open, one sentence each."""


def relink_document(
    document: ScoresDocument,
    relinker: Relinker,
    *,
    is_elsewhere: bool = False,
    may_read: MayRead = any_file,
) -> Relinked:
    """Look for the file of a document, and fit the document to what is found.

    A file that is not there is looked for by name and content. One that has other content than when
    it was scored is measured: moments past the end of a shorter one are cut short or left out. Of
    one that may not be read only the name is used.

    Args:
        document: The document, with its moments.
        relinker: Looks below the folders of --search.
        is_elsewhere: Whether the file is known to be on another machine: nothing is said then.
        may_read: Asked before the file is looked at.

    Raises:
        MediaError: The file cannot be read; or what has its name is several files, or another.
    """
    video = document.video
    here: Path | None = None
    reason = "is not there"
    if media_path(video.path).is_absolute() and Path(video.path).is_absolute():
        try:
            here = may_read(Path(video.path))
        except HlError:
            reason = "may not be read here"
        else:
            here = here if is_file(here) else None
    if here is not None and content_identity(here) == video.sha256_head:
        return Relinked(document=document)
    found = relinker.find(MissingMedia(path=video.path, sha256_head=video.sha256_head))
    if found is not None:
        return Relinked(document=replace(document, video=replace(video, path=str(found))))
    if here is not None:
        return _fitted(document, here)
    if is_elsewhere or not document.moments:
        return Relinked(document=document)
    note = (
        f"{readable(video.path)} {reason}: the timeline names it all the same and opens "
        "without its media, unless --search names the folder it is in now"
    )
    return Relinked(document=document, notes=(note,))


def _fitted(document: ScoresDocument, here: Path) -> Relinked:
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
    return Relinked(
        document=replace(
            document,
            video=new,
            scores=document.scores[:count],
            raw_scores=document.raw_scores[:count],
            picture_scores=None
            if document.picture_scores is None
            else document.picture_scores[:count],
            sound_scores=None if document.sound_scores is None else document.sound_scores[:count],
            motion=None if document.motion is None else document.motion[:count],
            loudness=None if document.loudness is None else document.loudness[:count],
            looks=None if document.looks is None else document.looks[:count],
            likeness=None if document.likeness is None else document.likeness[:count],
            sounds=_before(document.sounds, duration),
            sights=_before(document.sights, duration),
            marks=_before(document.marks, duration),
            shot_boundaries_seconds=tuple(
                instant for instant in document.shot_boundaries_seconds if instant < duration
            ),
            speech=None
            if document.speech is None
            else tuple(
                (start, min(end, duration)) for start, end in document.speech if start < duration
            ),
            unusable=None
            if document.unusable is None
            else tuple(
                replace(one, end_seconds=min(one.end_seconds, duration))
                for one in document.unusable
                if one.start_seconds < duration - shortest
            ),
            transcript=None
            if document.transcript is None
            else tuple(one for one in document.transcript if one.start_seconds < duration),
            # Of what is no longer the same, nobody knows what else is a take of it.
            picture_fingerprints=None,
            sound_fingerprints=None,
            moments=tuple(_ending(moment, duration) for moment in kept),
        ),
        notes=tuple(notes),
    )


def _before(
    observations: tuple[Observation, ...] | None, duration: float
) -> tuple[Observation, ...] | None:
    if observations is None:
        return None
    return tuple(
        replace(observation, end_seconds=min(observation.end_seconds, duration))
        for observation in observations
        if observation.start_seconds < duration
    )


def _ending(moment: Moment, duration: float) -> Moment:
    end = min(moment.end_seconds, duration)
    return replace(
        moment,
        end_seconds=end,
        peak_seconds=min(moment.peak_seconds, end),
        alternatives=tuple(
            take
            for take in moment.alternatives
            if take.video is not None or take.end_seconds <= duration
        ),
    )


def _moments(count: int) -> str:
    return f"{count} moment" if count == 1 else f"{count} moments"
