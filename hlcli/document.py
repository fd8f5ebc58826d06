r"""The scores document `hl.scores/1`: everything `hl` found out about one video, as JSON.

Its schema is published in docs/reference/scores.schema.json. Reading checks every field, so that
what comes after may trust it. The text is plain ASCII: a file name outside Unicode keeps its
bytes as lone surrogates (`os.fsencode` gives them back), which JSON writes as `\udcXX`.

Axes: T clips.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from hlcli import __version__
from hlcli.atomic import write_text
from hlcli.errors import DocumentError
from hlcli.moments import Moment, Selection, Why, select_moments

if TYPE_CHECKING:
    from hlcli.media.probe import MediaInfo
    from hlcli.model.scorer import Modality

SCHEMA = "hl.scores/1"
"""Name and version of the format; the number rises when an older reader would misread it."""
_DECIMALS = 6
"""Seconds and scores are rounded to a millionth: far below one frame, and the same everywhere."""
_TIMECODE = re.compile(r"\d{2}:\d{2}:\d{2}[:;]\d{2,3}")
_HINT = "make it anew with `hl score VIDEO -o FILE.json`"
_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioRecord:
    """One audio track of the source."""

    channels: int
    """Number of channels, at least 1."""
    sample_rate: int
    """Samples per second of one channel, in Hz."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRecord:
    """What a timeline must know about the source file."""

    path: str
    """Where the file was when it was scored, absolute."""
    duration_seconds: float
    """From the first video frame's start to the last one's end, in seconds, over 0."""
    frame_rate: Fraction
    """Exact constant rate for timelines; variable-rate files have the nearest standard rate."""
    num_frames: int
    """Frames at `frame_rate` over the duration, at least 1."""
    is_variable_rate: bool
    """Whether the frames of the file are unevenly spaced."""
    start_timecode: str | None
    """Timecode of the first frame as the file says it (";" = drop-frame); None without one."""
    width: int
    """Width as displayed, in pixels."""
    height: int
    """Height as displayed, in pixels."""
    rotation_degrees: int
    """Clockwise turn from the stored to the displayed picture: 0, 90, 180 or 270."""
    audio: tuple[AudioRecord, ...]
    """The audio tracks in file order; empty without sound."""
    sha256_head: str
    """Content identity: hex sha256 over size, first and last MiB; survives renames and moves."""

    @property
    def has_audio(self) -> bool:
        """Whether there is at least one audio track."""
        return bool(self.audio)

    @classmethod
    def from_media(cls, info: MediaInfo, identity: str) -> VideoRecord:
        """Take from a probed file what timelines need.

        Args:
            info: What `hlcli.media.probe.probe` found.
            identity: `hlcli.media.identity.content_identity` of the same file.
        """
        return cls(
            path=str(info.path),
            duration_seconds=_rounded(info.duration_seconds),
            frame_rate=info.frame_rate,
            num_frames=info.num_frames,
            is_variable_rate=info.is_variable_rate,
            start_timecode=info.start_timecode,
            width=info.width,
            height=info.height,
            rotation_degrees=info.rotation_degrees,
            audio=tuple(
                AudioRecord(channels=track.channels, sample_rate=track.sample_rate)
                for track in info.audio_streams
            ),
            sha256_head=identity,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """Which detector made the scores."""

    name: str
    """Name in the model zoo."""
    version: str
    """Version in its manifest."""
    sha256: str
    """sha256 of its weights, 64 hex digits."""


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
    created_with: str = f"hl {__version__}"
    """The program that wrote it."""

    def with_moments(self, moments: Sequence[Moment]) -> ScoresDocument:
        """Return the same scores with another choice of moments."""
        return dataclasses.replace(self, moments=tuple(moments))

    def to_json(self) -> dict[str, Any]:
        """Return the document as JSON values, in the published order, rounded to a millionth."""
        video = self.video
        return {
            "schema": SCHEMA,
            "video": {
                "path": video.path,
                "duration_seconds": _rounded(video.duration_seconds),
                "frame_rate": f"{video.frame_rate.numerator}/{video.frame_rate.denominator}",
                "num_frames": video.num_frames,
                "is_variable_rate": video.is_variable_rate,
                "start_timecode": video.start_timecode,
                "width": video.width,
                "height": video.height,
                "rotation_degrees": video.rotation_degrees,
                "has_audio": video.has_audio,
                "audio": [dataclasses.asdict(track) for track in video.audio],
                "sha256_head": video.sha256_head,
            },
            "model": dataclasses.asdict(self.model),
            "modality": self.modality,
            "clip_seconds": _rounded(self.clip_seconds),
            "scores": _all_rounded(self.scores),
            "raw_scores": _all_rounded(self.raw_scores),
            "picture_scores": _all_rounded(self.picture_scores),
            "sound_scores": _all_rounded(self.sound_scores),
            "shot_boundaries_seconds": _all_rounded(self.shot_boundaries_seconds),
            "damage": self.damage,
            "moments": [
                {
                    "start_seconds": _rounded(moment.start_seconds),
                    "end_seconds": _rounded(moment.end_seconds),
                    "score": _rounded(moment.score),
                    "peak_seconds": _rounded(moment.peak_seconds),
                    "picture": None if moment.picture is None else _rounded(moment.picture),
                    "sound": None if moment.sound is None else _rounded(moment.sound),
                    "why": moment.why,
                }
                for moment in self.moments
            ],
            "created_with": self.created_with,
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
        fields = _Fields(value, source)
        schema = fields.get("schema")
        if schema != SCHEMA:
            raise DocumentError(
                f"{source} is not a scores document of schema {SCHEMA}: schema is {schema!r}",
                hint="a newer hl wrote it: update hl"
                if str(schema).startswith("hl.scores/")
                else _HINT,
            )
        video = _video(fields.inside("video"))
        clip_seconds = fields.number("clip_seconds", above=0.0)
        # The duration is rounded, so a clip more or less is right at a whole number of clips.
        clips = range(
            max(1, math.ceil((video.duration_seconds - 2e-6) / clip_seconds)),
            max(1, math.ceil((video.duration_seconds + 2e-6) / clip_seconds)) + 1,
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
        for name, row in rows.items():
            if row is not None and len(row) != len(scores):
                raise fields.wrong(name, f"has {len(row)} clips, scores has {len(scores)}")
        cuts = fields.numbers("shot_boundaries_seconds", 0.0, math.inf)
        if list(cuts) != sorted(cuts):
            raise fields.wrong("shot_boundaries_seconds", "is not ascending")
        moments = tuple(_moment(item, video) for item in fields.items("moments"))
        in_time = sorted(moments, key=lambda moment: moment.start_seconds)
        for before, after in zip(in_time, in_time[1:]):  # noqa: B905, RUF007 (no strict pairs)
            if after.start_seconds < before.end_seconds:
                raise fields.wrong("moments", f"overlap at {after.start_seconds:g} s")
        model = fields.inside("model")
        return cls(
            video=video,
            model=ModelRecord(
                name=model.text("name"),
                version=model.text("version"),
                sha256=model.text("sha256", r"[0-9a-f]{64}"),
            ),
            modality=cast("Modality", fields.text("modality", r"v|a|va")),
            clip_seconds=clip_seconds,
            scores=scores,
            raw_scores=rows["raw_scores"] or (),
            picture_scores=rows["picture_scores"],
            sound_scores=rows["sound_scores"],
            shot_boundaries_seconds=cuts,
            damage=None if fields.get("damage") is None else fields.text("damage"),
            moments=moments,
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


def select_moments_of(document: ScoresDocument, selection: Selection) -> list[Moment]:
    """Choose moments anew from the scores of a document, best first; decodes nothing."""
    return select_moments(
        document.scores,
        clip_seconds=document.clip_seconds,
        duration_seconds=document.video.duration_seconds,
        selection=selection,
        shot_boundaries_seconds=document.shot_boundaries_seconds,
        picture_T=document.picture_scores,
        sound_T=document.sound_scores,
    )


def read_documents(path: Path) -> list[ScoresDocument]:
    """Read a file that holds one document or a list of them.

    Raises:
        DocumentError: The file is missing, not JSON, an empty list, or a document is wrong.
    """
    try:
        value = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except FileNotFoundError as error:
        raise DocumentError(f"{path} does not exist", hint=_HINT) from error
    except OSError as error:
        raise DocumentError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{path} is not a scores document: {error}", hint=_HINT) from error
    if not isinstance(value, list):
        return [ScoresDocument.from_json(value, source=str(path))]
    if not value:
        raise DocumentError(f"{path} is an empty list of scores documents", hint=_HINT)
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
    """Return what `write_documents` writes, ASCII: for standard output."""
    if len(documents) == 1:
        return documents[0].to_text()
    return "[\n" + ",\n".join(_layout(document.to_json()) for document in documents) + "\n]\n"


def _video(fields: _Fields) -> VideoRecord:
    rate_text = fields.text("frame_rate", r"[1-9]\d*/[1-9]\d*")
    frame_rate = Fraction(rate_text)
    if frame_rate > 1000:
        raise fields.wrong("frame_rate", f"must be at most 1000 frames per second, is {rate_text}")
    timecode = fields.get("start_timecode")
    if timecode is not None:
        fields.text("start_timecode", _TIMECODE.pattern)
    audio = tuple(
        AudioRecord(
            channels=track.integer("channels", 1), sample_rate=track.integer("sample_rate", 1)
        )
        for track in fields.items("audio")
    )
    if fields.flag("has_audio") != bool(audio):
        raise fields.wrong("has_audio", "disagrees with audio")
    rotation = fields.integer("rotation_degrees", 0)
    if rotation not in (0, 90, 180, 270):
        raise fields.wrong("rotation_degrees", "must be 0, 90, 180 or 270")
    return VideoRecord(
        path=fields.text("path"),
        duration_seconds=fields.number("duration_seconds", above=0.0),
        frame_rate=frame_rate,
        num_frames=fields.integer("num_frames", 1),
        is_variable_rate=fields.flag("is_variable_rate"),
        start_timecode=timecode,
        width=fields.integer("width", 1),
        height=fields.integer("height", 1),
        rotation_degrees=rotation,
        audio=audio,
        sha256_head=fields.text("sha256_head", r"[0-9a-f]{64}"),
    )


def _moment(fields: _Fields, video: VideoRecord) -> Moment:
    start = fields.number("start_seconds")
    end = fields.number("end_seconds")
    peak = fields.number("peak_seconds")
    if not 0 <= start < end <= video.duration_seconds + 2e-6:
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
    )


class _Fields:
    """One JSON object under check: every getter names the file and the field when it fails."""

    def __init__(self, value: object, source: str, prefix: str = "") -> None:
        self._source = source
        self._prefix = prefix
        if not isinstance(value, dict):
            raise DocumentError(
                f"{source}: {prefix.rstrip('.') or 'the document'} must be an object", hint=_HINT
            )
        self._value = value

    def wrong(self, name: str, problem: str) -> DocumentError:
        return DocumentError(f"{self._source}: {self._prefix}{name} {problem}", hint=_HINT)

    def get(self, name: str) -> Any:
        if name not in self._value:
            raise self.wrong(name, "is missing")
        return self._value[name]

    def inside(self, name: str) -> _Fields:
        return _Fields(self.get(name), self._source, f"{self._prefix}{name}.")

    def items(self, name: str) -> Iterator[_Fields]:
        value = self.get(name)
        if not isinstance(value, list):
            raise self.wrong(name, "must be a list")
        for index, item in enumerate(value):
            yield _Fields(item, self._source, f"{self._prefix}{name}[{index}].")

    def text(self, name: str, pattern: str | None = None) -> str:
        value = self.get(name)
        if not isinstance(value, str) or (not value and pattern is None):
            raise self.wrong(name, f"must be text, is {value!r}")
        if pattern is not None and not re.fullmatch(pattern, value, re.ASCII):
            raise self.wrong(name, f"has an unknown value {value!r}")
        return value

    def flag(self, name: str) -> bool:
        value = self.get(name)
        if not isinstance(value, bool):
            raise self.wrong(name, f"must be true or false, is {value!r}")
        return value

    def integer(self, name: str, least: int) -> int:
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.wrong(name, f"must be a whole number from {least} up, is {value!r}")
        return value

    def number(
        self,
        name: str,
        least: float = -math.inf,
        most: float = math.inf,
        *,
        above: float = -math.inf,
    ) -> float:
        value = _finite(self.get(name))
        if value is None or not least <= value <= most or value <= above:
            raise self.wrong(name, f"is {self.get(name)!r}, outside its range")
        return value

    def numbers(
        self, name: str, least: float = -math.inf, most: float = math.inf
    ) -> tuple[float, ...]:
        value = self.get(name)
        if not isinstance(value, list):
            raise self.wrong(name, "must be a list")
        row: list[float] = []
        for index, item in enumerate(value):
            number = _finite(item)
            if number is None or not least <= number <= most:
                raise self.wrong(f"{name}[{index}]", f"is {item!r}, outside its range")
            row.append(number)
        return tuple(row)


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    with contextlib.suppress(OverflowError):  # an integer of a thousand digits
        number = float(value)
        return number if math.isfinite(number) else None
    return None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _rounded(value: float | Fraction) -> float:
    # Adding 0.0 turns -0.0 into 0.0, which would be other bytes.
    return round(float(value), _DECIMALS) + 0.0


def _all_rounded(row: Sequence[float] | None) -> list[float] | None:
    return None if row is None else [_rounded(value) for value in row]


def _layout(value: dict[str, Any]) -> str:
    def dump(part: object) -> str:
        return json.dumps(part, allow_nan=False)

    lines = []
    for name, part in value.items():
        text = dump(part)
        if name == "moments" and part:
            text = "[\n    " + ",\n    ".join(dump(moment) for moment in part) + "\n  ]"
        lines.append(f"  {dump(name)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}"
