"""What a review decides, as clients send it: checked, and turned into documents and marks."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from hlcli.errors import OutputError

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument
    from hlcli.moments import Moment

MAX_MOMENTS = 5000
"""Most moments of one review, and most avoided spans."""
MAX_VIDEOS = 200
"""Most videos of one review."""

Instant = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
VideoNumber = Annotated[int, Field(ge=0, lt=MAX_VIDEOS)]


class _Span(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    video: VideoNumber
    start_seconds: Instant
    end_seconds: Instant

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> _Span:
        if self.end_seconds <= self.start_seconds:
            raise ValueError("a span must end after its start")
        return self


class EditMoment(_Span):
    """A stretch of one video that somebody decided about."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,40}$")]
    keep: bool
    pinned: bool = False


class Avoided(_Span):
    """A stretch from which nothing is chosen."""


class Edit(BaseModel):
    """All decisions of a review. The kept moments are the film, in the order given."""

    model_config = ConfigDict(extra="forbid", strict=True)

    moments: Annotated[list[EditMoment], Field(max_length=MAX_MOMENTS)] = []
    avoid: Annotated[list[Avoided], Field(max_length=MAX_MOMENTS)] = []
    order: Literal["time", "own"] = "time"
    """By video and time, or as the moments are listed."""


def edited_documents(edit: Edit, documents: Sequence[ScoresDocument]) -> list[ScoresDocument]:
    """Return documents with the kept moments, in the order of the film.

    A document appears once for each run of its moments in time order, so that several of one
    video between those of others keep their places.

    Args:
        edit: The decisions.
        documents: The scores of each video, in the order of the review.

    Raises:
        OutputError: Nothing is kept, two kept moments of one video overlap, or one lies outside.
    """
    from hlcli.document import measure_moment

    kept = [moment for moment in edit.moments if moment.keep]
    if not kept:
        raise OutputError("no moment is kept", hint="keep at least one")
    in_time = sorted(kept, key=lambda one: (one.video, one.start_seconds))
    for before, after in itertools.pairwise(in_time):
        # Ends that were snapped to the same instant may differ by rounding.
        if before.video == after.video and after.start_seconds < before.end_seconds - 1e-6:
            name = _name(documents, after.video)
            raise OutputError(
                f"{name}: two kept moments overlap at {after.start_seconds:.2f} s",
                hint="trim or drop one of them",
            )
    runs: list[tuple[int, list[EditMoment]]] = []
    for one in in_time if edit.order == "time" else kept:
        last = runs[-1] if runs else None
        if (
            last is not None
            and last[0] == one.video
            and last[1][-1].end_seconds <= one.start_seconds + 1e-6
        ):
            last[1].append(one)
        else:
            runs.append((one.video, [one]))
    found = []
    for video, run in runs:
        if video >= len(documents):
            raise OutputError(f"the review has no video {video + 1}", hint="load it again")
        document = documents[video]
        length = document.video.duration_seconds
        moments: list[Moment] = []
        for one in run:
            end = min(one.end_seconds, length)
            if end <= one.start_seconds:
                raise OutputError(
                    f"{_name(documents, video)}: a moment begins at {one.start_seconds:.2f} s, "
                    f"the video ends at {length:.2f} s",
                    hint="drop it, or open the review again",
                )
            start = max(one.start_seconds, moments[-1].end_seconds if moments else 0.0)
            moments.append(measure_moment(document, start, end))
        found.append(document.with_moments(moments))
    return found


def marks_table(edit: Edit, documents: Sequence[ScoresDocument]) -> str:
    """Return the decisions as `hl finetune --labels` reads them: kept, dropped, avoided.

    Where two say different things of one second, the kept one counts.

    Raises:
        OutputError: Nothing is kept.
    """
    kept = [moment for moment in edit.moments if moment.keep]
    if not kept:
        raise OutputError("no moment is kept: there is nothing to learn", hint="keep one")
    rows: list[tuple[int, float, float, str]] = [
        (one.video, one.start_seconds, one.end_seconds, "keep") for one in kept
    ]
    for one in [*(moment for moment in edit.moments if not moment.keep), *edit.avoid]:
        pieces = [(one.start_seconds, one.end_seconds)]
        for taken in kept:
            if taken.video == one.video:
                pieces = [
                    piece
                    for start, end in pieces
                    for piece in (
                        (start, min(end, taken.start_seconds)),
                        (max(start, taken.end_seconds), end),
                    )
                    if piece[1] > piece[0]
                ]
        rows += [(one.video, start, end, "drop") for start, end in pieces]
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(("file", "start", "end", "label"))
    for video, start, end, label in sorted(rows):
        if video >= len(documents):
            continue
        length = documents[video].video.duration_seconds
        if start < length:
            path = documents[video].video.path
            writer.writerow((path, f"{start:.6f}", f"{min(end, length):.6f}", label))
    return table.getvalue()


def _name(documents: Sequence[ScoresDocument], video: int) -> str:
    from hlcli.timeline.paths import media_path, readable

    if video >= len(documents):
        return f"video {video + 1}"
    return readable(media_path(documents[video].video.path).name)
