"""Of several takes of one thing one is a moment, in one document and across several."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hlcli.clock_text import clock_text
from hlcli.document.records import file_name
from hlcli.moments import Moment, Selection, Stretch, Take, measure_span
from hlcli.moments.takes import (
    Footage,
    Span,
    choose_without_repeats,
    is_take,
    repeated,
    takes_of,
)

if TYPE_CHECKING:
    from hlcli.document.scores import ScoresDocument

Choose = Callable[["ScoresDocument", Selection], list[Moment]]
"""Chooses moments from a document without regard to takes, best first."""
_MOST_ROUNDS = 4
_MOST_NAMED = 3


def footage_of(document: ScoresDocument) -> Footage | None:
    """Return what takes are found by; None in documents of an earlier `hl`."""
    num_clips = len(document.scores)
    pictures = fingerprint_rows(document.picture_fingerprints, num_clips)
    sounds = fingerprint_rows(document.sound_fingerprints, num_clips)
    if pictures is None:
        return None
    return Footage(
        picture_TP=pictures.astype(np.float32),
        sound_TS=None if sounds is None else sounds.astype(np.float32),
        cuts=document.shot_boundaries_seconds,
        clip_seconds=document.clip_seconds,
        duration=document.video.duration_seconds,
    )


def fingerprint_rows(text: str | None, num_clips: int) -> npt.NDArray[np.int8] | None:
    """Return the fingerprints of a document, a row for each clip; None where there are none."""
    if not text:
        return None
    return np.frombuffer(base64.b64decode(text), np.int8).reshape(num_clips, -1)


def choose_one_take(document: ScoresDocument, selection: Selection, choose: Choose) -> list[Moment]:
    """Choose moments of which no two are takes of one another, with the others as alternatives.

    Args:
        document: The scores.
        selection: How much to keep, of this video alone.
        choose: Chooses moments from a document without regard to takes.
    """
    footage = footage_of(document)
    if footage is None or selection.keep_takes:
        return choose(document, selection)
    found: dict[tuple[float, float, float], list[Span]] = {}

    def find(moment: Moment) -> list[Span]:
        key = moment.start_seconds, moment.end_seconds, moment.peak_seconds
        if key not in found:
            found[key] = takes_of(moment, footage, footage)
        return found[key]

    moments = choose_without_repeats(
        lambda spans: choose(document, without(selection, spans)), find, _pins(selection)
    )
    return [_with_own_takes(moment, document, find(moment)) for moment in moments]


def _pins(selection: Selection) -> list[Span]:
    return [(pin.start_seconds, pin.end_seconds) for pin in selection.pins]


def without(selection: Selection, spans: Sequence[Span]) -> Selection:
    """Return a selection that also keeps out of spans, in seconds; what is pinned stays."""
    avoids = tuple(
        Stretch(start_seconds=start, end_seconds=end)
        for start, end in spans
        if all(pin.end_seconds <= start or end <= pin.start_seconds for pin in selection.pins)
    )
    return dataclasses.replace(selection, avoids=(*selection.avoids, *avoids))


@dataclasses.dataclass
class _File:
    """A document in a run of several."""

    document: ScoresDocument
    footage: Footage
    selection: Selection
    left_out: list[Span] = dataclasses.field(default_factory=list)


def choose_across(
    documents: Sequence[ScoresDocument],
    selection: Selection,
    choose: Choose,
) -> list[ScoresDocument]:
    """Keep one of the takes that lie in several files, that with the best score.

    Args:
        documents: Documents with their moments, in the order of the run.
        selection: How they were chosen.
        choose: Chooses moments again.

    Returns:
        The same documents; those with a take that is worse than one in another file have other
        moments, and moments have the takes in other files as alternatives.
    """
    files = _files(documents, selection)
    find = _finder(files)
    for _ in range(_MOST_ROUNDS):
        changed = _leave_out_repeats(files, find)
        if not changed:
            break
        for place in changed:
            file = files[place]
            moments = choose(documents[place], without(file.selection, file.left_out))
            file.document = documents[place].with_moments(moments, documents[place].candidates)
    else:
        for place in _leave_out_repeats(files, find):
            document, spans = files[place].document, files[place].left_out
            kept = [one for one in document.moments if is_take(one, spans) is None]
            files[place].document = document.with_moments(kept, document.candidates)
    return _with_takes_across(documents, files, find)


def with_takes(documents: Sequence[ScoresDocument]) -> list[ScoresDocument]:
    """Give moments their takes in all files, their own too, as alternatives.

    Args:
        documents: Documents of a run with their moments.
    """
    found = list(documents)
    for place, document in enumerate(documents):
        if (footage := footage_of(document)) is not None:
            moments = [
                _with_own_takes(moment, document, takes_of(moment, footage, footage))
                for moment in document.moments
            ]
            found[place] = document.with_moments(moments, document.candidates)
    return takes_across(found)


def takes_across(
    documents: Sequence[ScoresDocument], most_moments: int | None = None
) -> list[ScoresDocument]:
    """Give moments their takes in other files as alternatives; none is left out.

    Args:
        documents: Documents with their moments, best first.
        most_moments: How many moments of each document are looked at; None is all.
    """
    files = _files(documents, Selection())
    return _with_takes_across(documents, files, _finder(files), most_moments)


_Find = Callable[[int, Moment, int], list[Span]]
"""Returns the takes of a moment of one file, by number, in another."""


def _files(documents: Sequence[ScoresDocument], selection: Selection) -> dict[int, _File]:
    return {
        place: _File(document, footage, selection.of_video(file_name(document.video.path)))
        for place, document in enumerate(documents)
        if (footage := footage_of(document)) is not None
    }


def _finder(files: dict[int, _File]) -> _Find:
    found: dict[tuple[int, int, float, float], list[Span]] = {}

    def find(place: int, moment: Moment, other: int) -> list[Span]:
        if files[place].document.model.sha256 != files[other].document.model.sha256:
            return []  # the fingerprints of two encoders cannot be compared
        key = place, other, moment.start_seconds, moment.end_seconds
        if key not in found:
            found[key] = takes_of(moment, files[place].footage, files[other].footage)
        return found[key]

    return find


def _with_takes_across(
    documents: Sequence[ScoresDocument],
    files: dict[int, _File],
    find: _Find,
    most_moments: int | None = None,
) -> list[ScoresDocument]:
    result = list(documents)
    for place, file in files.items():
        with_takes = list(file.document.moments)
        for number, moment in enumerate(with_takes[:most_moments]):
            takes = [(place, take) for take in moment.alternatives if take.video is None]
            for other in files:
                if other != place:
                    takes += [
                        (other, _take(files[other].document, span, in_other_file=True))
                        for span in find(place, moment, other)
                    ]
            with_takes[number] = _with_takes(moment, place, takes)
        result[place] = file.document.with_moments(with_takes, file.document.candidates)
    return result


def _leave_out_repeats(files: dict[int, _File], find: _Find) -> list[int]:
    """Note the moments that are takes of better ones in other files; return their files."""

    def is_pinned(place: int, moment: Moment) -> Span | None:
        return is_take(moment, _pins(files[place].selection))

    ranked = sorted(
        ((place, moment) for place, file in files.items() for moment in file.document.moments),
        key=lambda pair: (is_pinned(*pair) is None, -pair[1].score),
    )
    kept: list[tuple[int, Moment]] = []
    changed: set[int] = set()
    for place, moment in ranked:
        others = [(there, better) for there, better in kept if there != place]
        takes = [span for there, better in others for span in find(there, better, place)]
        span = repeated(
            moment, takes, ((better, find(place, moment, there)) for there, better in others)
        )
        if span is None or is_pinned(place, moment):
            kept.append((place, moment))
            continue
        files[place].left_out.append(span)
        changed.add(place)
    return sorted(changed)


def _take(document: ScoresDocument, span: Span, *, in_other_file: bool = False) -> Take:
    start, end = span
    score = measure_span(
        document.scores,
        clip_seconds=document.clip_seconds,
        duration_seconds=document.video.duration_seconds,
        start_seconds=start,
        end_seconds=end,
    ).score
    return Take(
        start_seconds=round(start, 6),
        end_seconds=round(end, 6),
        score=score,
        video=document.video.path if in_other_file else None,
    )


def _with_own_takes(moment: Moment, document: ScoresDocument, spans: Sequence[Span]) -> Moment:
    return _with_takes(moment, 0, [(0, _take(document, span)) for span in spans])


def _with_takes(moment: Moment, place: int, takes: Sequence[tuple[int, Take]]) -> Moment:
    """Return a moment with its other takes, and which of how many it is as its last reason.

    Args:
        moment: The moment.
        place: Number of its file in the run.
        takes: The other takes, each with the number of its file.
    """
    reasons = tuple(one for one in moment.reasons if not one.startswith("take "))
    if not takes:
        return dataclasses.replace(moment, reasons=reasons, alternatives=())
    in_order = sorted(takes, key=lambda pair: (pair[0], pair[1].start_seconds))
    number = 1 + sum(
        (file, take.start_seconds) < (place, moment.start_seconds) for file, take in in_order
    )
    named = [
        " ".join([*_names(take.video), clock_text(take.start_seconds)]) for _, take in in_order
    ]
    more = [f"{len(named) - _MOST_NAMED} more"] if len(named) > _MOST_NAMED else []
    others = ", ".join([*named[:_MOST_NAMED], *more])
    words = f"take {number} of {len(takes) + 1}, others at {others}"
    return dataclasses.replace(
        moment,
        reasons=(*reasons, words),
        alternatives=tuple(take for _, take in in_order),
    )


def _names(path: str | None) -> list[str]:
    return [] if path is None else [file_name(path)]
