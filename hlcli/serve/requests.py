"""What clients may ask for, checked: the options of the command line with underscores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hlcli.serve.edit import MAX_VIDEOS, Edit

if TYPE_CHECKING:
    from hlcli.moments import Selection
    from hlcli.rendering.settings import RenderSettings
    from hlcli.timeline.build import Layout

MAX_PATHS = 1000
"""Most paths of one job."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Length = Seconds | Annotated[str, StringConstraints(min_length=1, max_length=40)]
Paths = Annotated[list[Text], Field(min_length=1, max_length=MAX_PATHS)]
Files = Annotated[list[Text], Field(max_length=MAX_PATHS)]
Stretches = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=500)]] | None,
    Field(max_length=MAX_PATHS, description='["12:30-12:40"], several videos ["NAME:12:30-12:40"]'),
]
Vote = Annotated[
    str | None,
    Field(
        max_length=20,
        description="how much marks count that were set while recording",
        json_schema_extra={"enum": ["strong", "weak", "ignore"]},
    ),
]


class _Options(BaseModel):
    # strict: "yes" is no number of moments, 1 no truth.
    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    def given(self) -> dict[str, Any]:
        """Return the options that were given, by their names."""
        return self.model_dump(by_alias=True, exclude_unset=True, exclude_none=True, mode="json")

    @property
    def files(self) -> list[str]:
        """Files and folders that are read, other than what is worked on."""
        return []


class Choice(_Options):
    """How much to keep."""

    target_duration: Length | None = None
    top: Annotated[int, Field(ge=1, le=10**6)] | None = None
    threshold: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    min_duration: Length | None = None
    max_duration: Length | None = None
    handles: Length | None = None
    keep_all: bool | None = None
    keep_takes: bool | None = None
    pin: Stretches = None
    avoid: Stretches = None
    marks: Vote = None

    def selection(self) -> Selection | None:
        """Return the rule by which moments are chosen; None where nothing is said about it.

        Raises:
            UsageError: Values exclude each other or cannot be read.
        """
        from hlcli.workflows.requests import selection_of

        return selection_of(
            **{name: getattr(self, name) for name in Choice.model_fields}, spelled=str
        )


class ExportOptions(Choice):
    """Options of `hl export`."""

    model: Word | None = None
    visual_only: bool = False
    for_: Annotated[Word | list[Word] | None, Field(alias="for")] = None
    order: Literal["time", "rank"] = "time"
    markers_only: bool = False
    track_per_source: bool = False
    start_timecode: Annotated[str, StringConstraints(max_length=20)] | None = None
    frame_rate: Annotated[str, StringConstraints(max_length=30)] | float | None = None
    map_path: Files = []
    music: Annotated[Text | None, Field(description="music to whose accents cuts move")] = None
    search: Files = []
    transcript: Annotated[
        Files, Field(description="what is said: .srt, .vtt, whisper's .json")
    ] = []
    like: Annotated[Files, Field(description="photographs of the event, or folders of them")] = []
    output: Text | Files | None = None
    rejects: Annotated[Text | None, Field(description="timeline of what nobody can use")] = None
    overwrite: bool = False

    @property
    def files(self) -> list[str]:
        """Files and folders that are read, other than what is worked on."""
        return [*self.transcript, *self.like, *filter(None, [self.music])]

    @property
    def targets(self) -> list[str]:
        """Programs that timelines are for, each once.

        Raises:
            UsageError: One is unknown.
        """
        return _targets(self.for_)

    @property
    def outputs(self) -> list[str]:
        """Files to write, as the client names them."""
        return _as_list(self.output)

    def layout(self) -> Layout:
        """Return the shape of the timeline.

        Raises:
            UsageError: A rate or a pair of folders cannot be read.
        """
        from hlcli.workflows.requests import layout_of

        return layout_of(
            order=self.order,
            markers_only=self.markers_only,
            track_per_source=self.track_per_source,
            start_timecode=self.start_timecode,
            frame_rate=self.frame_rate,
            map_path=self.map_path,
            music=self.music,
            spelled=str,
        )

    def check(self) -> None:
        """Refuse what can be seen to be wrong before any work is done.

        Raises:
            UsageError: A value cannot be read, or a program is unknown.
        """
        self.selection()
        self.layout()
        _ = self.targets


class ScoreOptions(ExportOptions):
    """Options of `hl score`."""

    proxies: Literal["auto", "off"] = "auto"
    marks_from: Annotated[
        Files, Field(description="timelines whose markers count as marks of the videos")
    ] = []
    draft: Annotated[bool, Field(description="keyframes alone, for a first look")] = False
    no_cache: bool = False

    @property
    def files(self) -> list[str]:
        """Files and folders that are read, other than what is worked on."""
        return [*super().files, *self.marks_from]


class RenderOptions(_Options):
    """Options of `hl render`."""

    output: Text | None = None
    overwrite: bool = False
    size: Annotated[str, StringConstraints(max_length=20)] | None = None
    vertical: bool = False
    crossfade: Length | None = None
    audio: Literal["mix", "all", "first"] = "mix"
    captions: Annotated[Files, Field(description="transcripts to draw into the picture")] = []
    font: Text | None = None
    music: Annotated[Text | None, Field(description="sound file to lay under the film")] = None
    music_level: Annotated[float, Field(allow_inf_nan=False)] | None = None
    each: Annotated[bool, Field(description="one film for each cut")] = False
    encoder: Word = "auto"
    quality: Annotated[int, Field(ge=0, le=51)] | None = None
    # `copy` is a method of pydantic's models.
    copy_: Annotated[bool, Field(alias="copy")] = False
    search: Files = []

    @property
    def files(self) -> list[str]:
        """Files and folders that are read, other than what is worked on."""
        return [*self.captions, *filter(None, (self.font, self.music))]

    def settings(self) -> RenderSettings:
        """Return how the film is made.

        Raises:
            UsageError: A size or a length cannot be read, or `copy` goes with something else.
        """
        from hlcli.workflows.requests import render_settings_of

        return render_settings_of(
            size=self.size,
            vertical=self.vertical,
            crossfade=self.crossfade,
            audio=self.audio,
            captions=bool(self.captions),
            font=self.font,
            music=self.music,
            music_level=self.music_level,
            encoder=self.encoder,
            quality=self.quality,
            copy=self.copy_,
            spelled=str,
        )

    def check(self) -> None:
        """Refuse what can be seen to be wrong before any work is done."""
        self.settings()


class FinetuneOptions(_Options):
    """Options of `hl finetune`."""

    name: Word
    from_cut: Annotated[Files, Field(description="timelines of finished cuts")] = []
    from_film: Annotated[Files, Field(description="finished films of this footage")] = []
    labels: Annotated[
        Files, Field(description=".csv with file,start,end,label (keep or drop), or timelines")
    ] = []
    from_marks: Annotated[bool, Field(description="learn from marks set while recording")] = False
    search: Files = []
    parent: Word | None = None
    steps: Annotated[int, Field(ge=1, le=10**6)] | None = None
    adapt: bool | None = None
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0

    @property
    def files(self) -> list[str]:
        """Files and folders that are read, other than what is worked on."""
        return [*self.from_cut, *self.from_film, *self.labels]

    def check(self) -> None:
        """Refuse a name that is taken, now and not after hours."""
        from hlcli.zoo.reservation import check_free

        check_free(self.name)


class FindOptions(_Options):
    """Options of `hl find`."""

    words: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    top: Annotated[int, Field(ge=1, le=1000)] = 10
    model: Word | None = None

    def check(self) -> None:
        """Refuse words that say nothing.

        Raises:
            UsageError: There is no word in them.
        """
        from hlcli.workflows.find import check_query

        check_query(self.words)


class MatchOptions(_Options):
    """Options of `hl match`; the job's paths are the footage."""

    film: Annotated[Text, Field(description="the finished film")]
    model: Word | None = None
    for_: Annotated[Word | list[Word] | None, Field(alias="for")] = None
    map_path: Files = []
    output: Text | Files | None = None
    overwrite: bool = False

    @property
    def files(self) -> list[str]:
        """Files and folders that are read, other than what is worked on."""
        return [self.film]

    @property
    def targets(self) -> list[str]:
        """Programs that timelines are for, each once.

        Raises:
            UsageError: One is unknown.
        """
        return _targets(self.for_)

    @property
    def outputs(self) -> list[str]:
        """Files to write, as the client names them."""
        return _as_list(self.output)

    def layout(self) -> Layout:
        """Return how paths are written.

        Raises:
            UsageError: A pair of folders cannot be read.
        """
        from hlcli.workflows.requests import layout_of

        return layout_of(map_path=self.map_path, spelled=str)

    def check(self) -> None:
        """Refuse what can be seen to be wrong before any work is done.

        Raises:
            UsageError: A value cannot be read, or a program is unknown.
        """
        self.layout()
        _ = self.targets


class ScoreRequest(BaseModel):
    """Score videos."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["score"]
    paths: Paths
    options: ScoreOptions = ScoreOptions()


class ExportRequest(BaseModel):
    """Choose again from stored scores."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["export"]
    paths: Paths
    options: ExportOptions = ExportOptions()


class RenderRequest(BaseModel):
    """Render one timeline."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["render"]
    paths: Annotated[list[Text], Field(min_length=1, max_length=1)]
    options: RenderOptions = RenderOptions()


class FinetuneRequest(BaseModel):
    """Teach a model."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["finetune"]
    paths: Paths
    options: FinetuneOptions


class FindRequest(BaseModel):
    """Look for words in videos."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["find"]
    paths: Paths
    options: FindOptions


class MatchRequest(BaseModel):
    """Find where a film comes from."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["match"]
    paths: Paths
    options: MatchOptions


AnyRequest: TypeAlias = (
    ScoreRequest | ExportRequest | RenderRequest | FinetuneRequest | FindRequest | MatchRequest
)
"""A job to do."""

JobRequest = Annotated[AnyRequest, Field(discriminator="kind")]
"""What `POST /v1/jobs` takes."""


class PairRequest(BaseModel):
    """The digits."""

    model_config = ConfigDict(extra="forbid")
    code: Annotated[str, StringConstraints(min_length=1, max_length=40)]


class PickedRequest(BaseModel):
    """Files that the user chose."""

    model_config = ConfigDict(extra="forbid")
    paths: Paths


class ReviewRequest(BaseModel):
    """Videos to review together."""

    model_config = ConfigDict(extra="forbid", strict=True)
    paths: Annotated[list[Text], Field(min_length=1, max_length=MAX_VIDEOS)]
    model: Word | None = None
    visual_only: bool = False


class EditRequest(BaseModel):
    """An edit, and the revision it was made from."""

    model_config = ConfigDict(extra="forbid", strict=True)
    revision: Annotated[int, Field(ge=0, le=2**53)]
    edit: Edit


class TicketRequest(BaseModel):
    """A ticket."""

    model_config = ConfigDict(extra="forbid")
    ticket: Annotated[str, StringConstraints(min_length=1, max_length=100)]


AnyOptions: TypeAlias = ExportOptions | RenderOptions | FinetuneOptions | FindOptions | MatchOptions
"""Options of a job."""

OPTIONS: dict[str, type[AnyOptions]] = {
    "score": ScoreOptions,
    "export": ExportOptions,
    "render": RenderOptions,
    "finetune": FinetuneOptions,
    "find": FindOptions,
    "match": MatchOptions,
}
"""Options by kind of job."""


def _as_list(value: str | list[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value


def _targets(names: str | list[str] | None) -> list[str]:
    from hlcli.timeline.formats import check_target

    return list(dict.fromkeys(check_target(name).name for name in _as_list(names)))


def folders(texts: list[str]) -> list[Path]:
    """Return folders to search."""
    return [Path(text) for text in texts]
