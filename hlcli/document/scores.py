"""The scores document as a whole, in memory and in files.

Axes: T clips.
"""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hlcli import __version__
from hlcli.atomic import write_text
from hlcli.document.fields import HINT, Fields
from hlcli.document.records import Modality, ModelRecord, VideoRecord, file_name, rounded
from hlcli.document.takes import choose_one_take
from hlcli.document.transcript import Caption, pauses_of
from hlcli.errors import DocumentError
from hlcli.media.unusable import Unusable
from hlcli.moments import (
    Evidence,
    Moment,
    Observation,
    Pauses,
    Selection,
    Take,
    measure_span,
    reasons_of,
    select_moments,
    with_votes,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from hlcli.moments import Why

SCHEMA = "hl.scores/1"
"""Name and version of the format; the number rises when an older reader would misread it."""
_ROUNDING = 2e-6  # seconds are rounded to a millionth
_OPTIONAL = (
    "unusable", "candidates", "motion", "loudness", "looks", "sounds", "sights", "speech",
    "transcript", "marks", "proxy", "draft", "picture_fingerprints", "sound_fingerprints",
    "likeness",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoresDocument:
    """The scores of one video and the moments chosen from them."""

    video: VideoRecord
    """The source file."""
    model: ModelRecord
    """The detector."""
    modality: Modality
    """What was really looked at: "v" picture, "a" sound, "va" both."""
    clip_seconds: float
    """Length of one clip, in seconds."""
    scores: tuple[float, ...]
    """Score of each clip, in [0, 1]; `T = ceil(duration / clip_seconds)` of them."""
    raw_scores: tuple[float, ...]
    """Activations before squashing, T of them, comparable between videos of one model."""
    picture_scores: tuple[float, ...] | None
    """What the picture alone says, in [0, 1], T of them; None when it was not looked at."""
    sound_scores: tuple[float, ...] | None
    """What the sound alone says, in [0, 1], T of them; None when it was not listened to."""
    shot_boundaries_seconds: tuple[float, ...]
    """Instants at which a new shot starts, ascending, in seconds from the first video frame."""
    damage: str | None
    """What could not be read, in words; None for a sound file."""
    moments: tuple[Moment, ...]
    """The moments, best first."""
    motion: tuple[float, ...] | None = None
    """Mean absolute luma change within each clip, in [0, 1], T of them; None in documents of an
    earlier `hl`, as the four that follow."""
    loudness: tuple[float, ...] | None = None
    """RMS level of each clip in dBFS, in [-100, 0], T of them; None without sound too."""
    looks: tuple[int, ...] | None = None
    """Group of pictures that look alike each clip belongs to, from 0 in order of appearance."""
    sounds: tuple[Observation, ...] | None = None
    """What can be heard, and from when to when; None without sound too."""
    sights: tuple[Observation, ...] | None = None
    """What can be seen, where that is sure; None too where the image encoder knows no classes."""
    speech: tuple[tuple[float, float], ...] | None = None
    """Start and end of each stretch in which somebody speaks, ascending and apart, in seconds; None
    where it is not known."""
    marks: tuple[Observation, ...] | None = None
    """What somebody marked while recording, each a frame long; None or empty without marks."""
    likeness: tuple[float, ...] | None = None
    """How much each clip looks like one of the photographs of `--like`, in [0, 1], T of them; None
    without photographs."""
    proxy: str | None = None
    """Name of the proxy that was looked at instead of the video; None where it was the video."""
    draft: bool = False
    """Whether only keyframes were looked at, some clips sharing one: a first look."""
    unusable: tuple[Unusable, ...] | None = None
    """What nobody can use, as black or credits, in order; None in documents of an earlier `hl`."""
    candidates: tuple[Moment, ...] = ()
    """The best moments, where nothing stands out enough to be one; else empty."""
    transcript: tuple[Caption, ...] | None = None
    """What is said, in the order of time; None where nobody gave a transcript."""
    picture_fingerprints: str | None = None
    """A short fingerprint of each clip's picture, by which takes are found: signed bytes, as many
    for each of the T clips, in base64; None in documents of an earlier `hl`."""
    sound_fingerprints: str | None = None
    """The same of each clip's sound; None without sound too."""
    created_with: str = f"hl {__version__}"
    """The program that wrote it."""

    def with_moments(
        self, moments: Sequence[Moment], candidates: Sequence[Moment] = ()
    ) -> ScoresDocument:
        """Return the same scores with another choice of moments."""
        return dataclasses.replace(self, moments=tuple(moments), candidates=tuple(candidates))

    def rejects(self) -> ScoresDocument:
        """Return the same scores with what nobody can use as moments, in order, for a timeline."""
        return self.with_moments(
            [
                Moment(
                    start_seconds=one.start_seconds,
                    end_seconds=one.end_seconds,
                    score=0.0,
                    peak_seconds=(one.start_seconds + one.end_seconds) / 2,
                    reasons=(one.reason,),
                )
                for one in self.unusable or ()
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """Return the document as JSON values, in the published order, rounded to a millionth."""
        value = {
            "schema": SCHEMA,
            "video": self.video.to_json(),
            "model": dataclasses.asdict(self.model),
            "modality": self.modality,
            "clip_seconds": rounded(self.clip_seconds),
            "scores": _all(self.scores),
            "raw_scores": _all(self.raw_scores),
            "picture_scores": _all(self.picture_scores),
            "sound_scores": _all(self.sound_scores),
            "shot_boundaries_seconds": _all(self.shot_boundaries_seconds),
            "unusable": None
            if self.unusable is None
            else [
                {
                    "start_seconds": rounded(one.start_seconds),
                    "end_seconds": rounded(one.end_seconds),
                    "reason": one.reason,
                }
                for one in self.unusable
            ],
            "motion": _all(self.motion),
            "loudness": _all(self.loudness),
            "looks": None if self.looks is None else list(self.looks),
            "sounds": _observations(self.sounds),
            "sights": _observations(self.sights),
            "speech": None
            if self.speech is None
            else [[rounded(start), rounded(end)] for start, end in self.speech],
            "transcript": None
            if self.transcript is None
            else [caption.to_json() for caption in self.transcript],
            "damage": self.damage,
            "moments": [_moment_json(moment) for moment in self.moments],
            "candidates": [_moment_json(moment) for moment in self.candidates] or None,
            "marks": _observations(self.marks or None),
            "likeness": _all(self.likeness),
            "proxy": self.proxy,
            "draft": self.draft or None,
            "picture_fingerprints": self.picture_fingerprints,
            "sound_fingerprints": self.sound_fingerprints,
            "created_with": self.created_with,
        }
        return {
            name: part for name, part in value.items() if part is not None or name not in _OPTIONAL
        }

    def to_text(self) -> str:
        """Return the document as ASCII text: one field a line, one moment a line."""
        return _layout(self.to_json()) + "\n"

    @classmethod
    def from_json(cls, value: object, *, source: str = "the scores document") -> ScoresDocument:
        """Check a parsed document and return it.

        Unknown extra fields are passed over: a later `hl` may add some.

        Args:
            value: What `json.loads` returned.
            source: How to call the document in errors, its file name for example.

        Raises:
            DocumentError: A field is missing or wrong, or the schema is another one.
        """
        fields = Fields(value, source)
        schema = fields.get("schema")
        if schema != SCHEMA:
            raise DocumentError(
                f"{source} is not a scores document of schema {SCHEMA}: schema is {schema!r}",
                hint="a newer hl wrote it: update hl"
                if str(schema).startswith("hl.scores/")
                else HINT,
            )
        video = VideoRecord.parse(fields.inside("video"))
        clip_seconds = fields.number("clip_seconds", 0.001)
        # The duration is rounded, so a clip more or less is right at a whole number of clips.
        clips = range(
            max(1, math.ceil((video.duration_seconds - _ROUNDING) / clip_seconds)),
            max(1, math.ceil((video.duration_seconds + _ROUNDING) / clip_seconds)) + 1,
        )
        scores = fields.numbers("scores", 0.0, 1.0)
        if len(scores) not in clips:
            raise fields.wrong(
                "scores", f"has {len(scores)} clips, the duration needs {clips.start}"
            )
        rows: dict[str, tuple[float, ...] | None] = {"raw_scores": fields.numbers("raw_scores")}
        for name in ("picture_scores", "sound_scores"):
            given = fields.get(name) is not None
            rows[name] = fields.numbers(name, 0.0, 1.0) if given else None
        for name, (least, most) in {
            "motion": (0.0, 1.0),
            "loudness": (-100.0, 0.0),
            "likeness": (0.0, 1.0),
        }.items():
            rows[name] = fields.numbers(name, least, most) if fields.has(name) else None
        looks = fields.numbers("looks", 0.0, len(scores)) if fields.has("looks") else None
        rows["looks"] = looks
        for name, row in rows.items():
            if row is not None and len(row) != len(scores):
                raise fields.wrong(name, f"has {len(row)} clips, scores has {len(scores)}")
        cuts = fields.numbers("shot_boundaries_seconds", 0.0, math.inf)
        if list(cuts) != sorted(cuts):
            raise fields.wrong("shot_boundaries_seconds", "is not ascending")
        moments = tuple(_moment(item, video) for item in fields.items("moments"))
        in_time = sorted(moments, key=lambda moment: moment.start_seconds)
        for before, after in itertools.pairwise(in_time):
            if after.start_seconds < before.end_seconds:
                raise fields.wrong("moments", f"overlap at {after.start_seconds:g} s")
        candidates = fields.items("candidates") if fields.has("candidates") else ()
        return cls(
            video=video,
            model=ModelRecord.parse(fields.inside("model")),
            modality=cast(Modality, fields.text("modality", r"v|a|va")),
            clip_seconds=clip_seconds,
            scores=scores,
            raw_scores=rows["raw_scores"] or (),
            picture_scores=rows["picture_scores"],
            sound_scores=rows["sound_scores"],
            shot_boundaries_seconds=cuts,
            damage=None if fields.get("damage") is None else fields.text("damage"),
            moments=moments,
            motion=rows["motion"],
            loudness=rows["loudness"],
            looks=None if looks is None else tuple(int(group) for group in looks),
            sounds=_parsed_observations(fields, "sounds"),
            sights=_parsed_observations(fields, "sights"),
            speech=fields.spans("speech") if fields.has("speech") else None,
            marks=_parsed_observations(fields, "marks"),
            likeness=rows["likeness"],
            proxy=fields.text("proxy") if fields.has("proxy") else None,
            draft=fields.flag("draft", missing=False),
            unusable=_parsed_unusable(fields, video) if fields.has("unusable") else None,
            candidates=tuple(_moment(item, video) for item in candidates),
            transcript=tuple(map(Caption.parse, fields.items("transcript")))
            if fields.has("transcript")
            else None,
            picture_fingerprints=_parsed_fingerprints(fields, "picture_fingerprints", len(scores)),
            sound_fingerprints=_parsed_fingerprints(fields, "sound_fingerprints", len(scores)),
            created_with=fields.text("created_with"),
        )

    def write(self, path: Path) -> None:
        """Write the document to `path`, whole or not at all.

        Raises:
            OutputError: It cannot be written there.
        """
        write_text(path, self.to_text())

    @classmethod
    def read(cls, path: Path) -> ScoresDocument:
        """Read the one document in `path`.

        Raises:
            DocumentError: The file is missing, damaged, or holds several documents.
        """
        documents = read_documents(path)
        if len(documents) != 1:
            raise DocumentError(f"{path} holds {len(documents)} scores documents, not one")
        return documents[0]


def find_moments(document: ScoresDocument, selection: Selection | None = None) -> list[Moment]:
    """Choose moments from the scores of a document, best first; decodes nothing.

    Args:
        document: The scores; the moments it has do not count.
        selection: How much to keep; None is the default rule.
    """
    selection = selection or Selection()
    of_video = selection.of_video(file_name(document.video.path))
    return choose_one_take(document, of_video, _chosen)


def _chosen(document: ScoresDocument, selection: Selection) -> list[Moment]:
    """Choose moments without regard to takes."""
    moments = select_moments(
        with_votes(
            document.scores,
            document.marks or (),
            clip_seconds=document.clip_seconds,
            vote=selection.marks,
            likeness_T=document.likeness,
        ),
        clip_seconds=document.clip_seconds,
        duration_seconds=document.video.duration_seconds,
        selection=selection,
        shot_boundaries_seconds=document.shot_boundaries_seconds,
        picture_T=document.picture_scores,
        sound_T=document.sound_scores,
        raw_T=document.raw_scores or None,
        unusable=[(one.start_seconds, one.end_seconds) for one in document.unusable or ()],
        pauses=_pauses(document),
        looks_T=document.looks,
    )
    evidence = _evidence(document)
    return [dataclasses.replace(moment, reasons=reasons_of(moment, evidence)) for moment in moments]


def _pauses(document: ScoresDocument) -> Pauses | None:
    """Return where nobody speaks; None where that is not known."""
    duration = document.video.duration_seconds
    if document.transcript:
        return pauses_of(document.transcript, document.speech, duration)
    return None if document.speech is None else Pauses(document.speech, duration)


def _evidence(document: ScoresDocument) -> Evidence:
    """Return what a document knows about its video beside the scores."""

    def row(values: Sequence[float] | None) -> npt.NDArray[np.float64] | None:
        return None if values is None else np.asarray(values, dtype=np.float64)

    return Evidence(
        clip_seconds=document.clip_seconds,
        duration_seconds=document.video.duration_seconds,
        cuts=document.shot_boundaries_seconds,
        sounds=document.sounds or (),
        sights=document.sights or (),
        motion_T=row(document.motion),
        loudness_T=row(document.loudness),
        likeness_T=row(document.likeness),
        looks_T=None if document.looks is None else np.asarray(document.looks, dtype=np.int64),
    )


def near_misses(
    document: ScoresDocument, selection: Selection | None = None, *, most: int = 5
) -> list[Moment]:
    """Return the next best moments that were not chosen, best first; none overlaps a chosen one.

    Args:
        document: The scores and the moments that were chosen.
        selection: How long a moment may be; how much is kept does not count.
        most: The most moments to return.
    """
    shape = dataclasses.replace(
        selection or Selection(),
        target_duration_seconds=None,
        threshold=None,
        # Several candidates may lie in what became one moment.
        top=2 * len(document.moments) + most,
    )
    return [
        moment
        for moment in find_moments(document, shape)
        if all(
            moment.end_seconds <= chosen.start_seconds or chosen.end_seconds <= moment.start_seconds
            for chosen in document.moments
        )
    ][:most]


def measure_moment(document: ScoresDocument, start_seconds: float, end_seconds: float) -> Moment:
    """Return a stretch that somebody else chose, with what its scores say about it.

    Args:
        document: The scores.
        start_seconds: Its first instant, in seconds from the first video frame, 0 or more.
        end_seconds: The first instant after it, at most the video's duration.
    """
    moment = measure_span(
        document.scores,
        clip_seconds=document.clip_seconds,
        duration_seconds=document.video.duration_seconds,
        start_seconds=start_seconds,
        end_seconds=end_seconds,
        picture_T=document.picture_scores,
        sound_T=document.sound_scores,
    )
    return dataclasses.replace(moment, reasons=reasons_of(moment, _evidence(document)))


def read_documents(path: Path) -> list[ScoresDocument]:
    """Read a file that holds one document or a list of them.

    Raises:
        DocumentError: The file is missing, not JSON, an empty list, or a document is wrong.
    """
    try:
        value = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except FileNotFoundError as error:
        raise DocumentError(f"{path} does not exist", hint=HINT) from error
    except OSError as error:
        raise DocumentError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{path} is not a scores document: {error}", hint=HINT) from error
    if not isinstance(value, list):
        return [ScoresDocument.from_json(value, source=str(path))]
    if not value:
        raise DocumentError(f"{path} is an empty list of scores documents", hint=HINT)
    return [
        ScoresDocument.from_json(item, source=f"{path} (document {number})")
        for number, item in enumerate(value, start=1)
    ]


def write_documents(path: Path, documents: Sequence[ScoresDocument]) -> None:
    """Write one document as itself and several as a list, whole or not at all.

    Raises:
        OutputError: It cannot be written there.
    """
    write_text(path, documents_text(documents))


def documents_text(documents: Sequence[ScoresDocument]) -> str:
    """Return what `write_documents` writes, ASCII."""
    return values_text([document.to_json() for document in documents])


def values_text(values: Sequence[dict[str, Any]]) -> str:
    """Return documents, as `ScoresDocument.to_json` gives them, as text: one, or a list."""
    if len(values) == 1:
        return _layout(values[0]) + "\n"
    return "[\n" + ",\n".join(map(_layout, values)) + "\n]\n"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _moment_json(moment: Moment) -> dict[str, Any]:
    value: dict[str, Any] = {
        "start_seconds": rounded(moment.start_seconds),
        "end_seconds": rounded(moment.end_seconds),
        "score": rounded(moment.score),
        "peak_seconds": rounded(moment.peak_seconds),
        "picture": None if moment.picture is None else rounded(moment.picture),
        "sound": None if moment.sound is None else rounded(moment.sound),
        "why": moment.why,
        "reasons": list(moment.reasons),
    }
    if moment.continues:
        value["continues"] = True
    if moment.alternatives:
        value["alternatives"] = [
            ({} if take.video is None else {"video": take.video})
            | {
                "start_seconds": rounded(take.start_seconds),
                "end_seconds": rounded(take.end_seconds),
                "score": rounded(take.score),
            }
            for take in moment.alternatives
        ]
    return value


def _parsed_unusable(fields: Fields, video: VideoRecord) -> tuple[Unusable, ...]:
    found: list[Unusable] = []
    for item in fields.items("unusable"):
        start, end = item.number("start_seconds"), item.number("end_seconds")
        earliest = found[-1].end_seconds if found else 0.0
        if not earliest <= start < end <= video.duration_seconds + _ROUNDING:
            raise item.wrong(
                "end_seconds", f"{start:g} to {end:g} s is out of order or outside the video"
            )
        found.append(Unusable(start_seconds=start, end_seconds=end, reason=item.text("reason")))
    return tuple(found)


def _moment(fields: Fields, video: VideoRecord) -> Moment:
    start = fields.number("start_seconds")
    end = fields.number("end_seconds")
    peak = fields.number("peak_seconds")
    if not 0 <= start < end <= video.duration_seconds + _ROUNDING:
        raise fields.wrong("end_seconds", f"{start:g} to {end:g} s is not inside the video")
    if not start <= peak <= end:
        raise fields.wrong("peak_seconds", f"{peak:g} s is not inside the moment")
    sides = {
        name: None if fields.get(name) is None else fields.number(name, 0.0, 1.0)
        for name in ("picture", "sound")
    }
    return Moment(
        start_seconds=start,
        end_seconds=end,
        score=fields.number("score", 0.0, 1.0),
        peak_seconds=peak,
        picture=sides["picture"],
        sound=sides["sound"],
        why=cast("Why", fields.text("why", r"picture|sound|both")),
        reasons=fields.texts("reasons") if fields.has("reasons") else (),
        alternatives=tuple(_take(item, video) for item in fields.items("alternatives"))
        if fields.has("alternatives")
        else (),
        continues=fields.flag("continues", missing=False),
    )


def _take(fields: Fields, video: VideoRecord) -> Take:
    start, end = fields.number("start_seconds", 0.0), fields.number("end_seconds")
    path = fields.text("video") if fields.has("video") else None
    longest = video.duration_seconds + _ROUNDING if path is None else math.inf
    if not start < end <= longest:
        raise fields.wrong("end_seconds", f"{start:g} to {end:g} s is not inside the video")
    return Take(
        start_seconds=start, end_seconds=end, score=fields.number("score", 0.0, 1.0), video=path
    )


def _parsed_fingerprints(fields: Fields, name: str, num_clips: int) -> str | None:
    if not fields.has(name):
        return None
    text = fields.text(name)
    try:
        num_bytes = len(base64.b64decode(text, validate=True))
    except ValueError as error:
        raise fields.wrong(name, "is not base64") from error
    if num_bytes % num_clips:
        raise fields.wrong(name, f"has {num_bytes} bytes for {num_clips} clips")
    return text


def _parsed_observations(fields: Fields, name: str) -> tuple[Observation, ...] | None:
    if not fields.has(name):
        return None
    return tuple(
        Observation(
            name=item.text("name"),
            start_seconds=item.number("start_seconds", 0.0),
            end_seconds=item.number("end_seconds", above=item.number("start_seconds")),
            score=item.number("score", 0.0, 1.0),
        )
        for item in fields.items(name)
    )


def _observations(observations: Sequence[Observation] | None) -> list[dict[str, Any]] | None:
    if observations is None:
        return None
    return [
        {
            "name": observation.name,
            "start_seconds": rounded(observation.start_seconds),
            "end_seconds": rounded(observation.end_seconds),
            "score": rounded(observation.score),
        }
        for observation in observations
    ]


def _all(row: Sequence[float] | None) -> list[float] | None:
    return None if row is None else [rounded(value) for value in row]


def _layout(value: dict[str, Any]) -> str:
    """Return JSON text with one field a line and one moment a line."""

    def dump(part: object) -> str:
        return json.dumps(part, allow_nan=False)

    lines = []
    for name, part in value.items():
        text = dump(part)
        if name in ("moments", "candidates") and part:
            text = "[\n    " + ",\n    ".join(dump(moment) for moment in part) + "\n  ]"
        lines.append(f"  {dump(name)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}"
