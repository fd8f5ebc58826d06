"""What a worker does for each kind of job, with the same functions as the command line."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hlcli.errors import HlError, MediaError
from hlcli.progress import Progress, counts_bytes
from hlcli.serve.allowed import Allowed
from hlcli.serve.job import Job, Result
from hlcli.serve.refusal import Refused
from hlcli.serve.requests import (
    ExportOptions,
    FinetuneOptions,
    RenderOptions,
    ScoreOptions,
    as_list,
    folders,
)
from hlcli.serve.store import OUTPUT_FOLDER, SCORES_FILE

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One job and the way to talk about it."""

    job: Job
    """What is asked for."""
    folder: Path
    """The job's own folder."""
    device: str
    """As `--device` names it."""
    progress: Progress
    """Told how far it is."""
    problem: Callable[[HlError], None]
    """Told of an input that cannot be used; the others are done all the same."""
    remark: Callable[[str], None]
    """Told sentences worth showing."""

    @property
    def allowed(self) -> Allowed:
        """What may be read."""
        return self.job.allowed


def carry_out(task: Task) -> Result:
    """Do a job.

    Raises:
        HlError: It failed.
    """
    return _TASKS[task.job.kind](task)


def _score(task: Task) -> Result:
    from hlcli.document import select_moments_of
    from hlcli.pipeline import Pipeline

    options = ScoreOptions.model_validate(task.job.options)
    selection = options.selection()
    pipeline = Pipeline(
        model_name=options.model, device=task.device, use_cache=not options.no_cache
    )
    documents: list[ScoresDocument] = []
    problems = _Problems(task)
    for path in _videos(task, problems):

        def report(stage: str, done: float, total: float, name: str = path.name) -> None:
            task.progress(stage if counts_bytes(stage) else f"{name}: {stage}", done, total)

        with problems.kept(MediaError):
            document = pipeline.score(path, visual_only=options.visual_only, progress=report)
            if document.damage:
                task.remark(f"{path.name}: {document.damage}; the rest was scored")
            documents.append(document.with_moments(select_moments_of(document, selection)))
    problems.raise_if_nothing(documents)
    return _write(task, documents, options)


def _export(task: Task) -> Result:
    from hlcli.timeline.present import as_it_is_now
    from hlcli.timeline.relink import Relinker

    options = ExportOptions.model_validate(task.job.options)
    allowed = task.allowed
    relinker = Relinker(folders(options.search))
    found: list[ScoresDocument] = []
    documents: list[ScoresDocument] = []
    problems = _Problems(task)
    files = [Path(text) for text in task.job.paths if text.lower().endswith(".json")]
    for file in files:
        with problems.kept(HlError):
            found.extend(_from_file(allowed.existing(str(file)), options))
    for path in _videos(task, problems, without=files):
        with problems.kept(HlError):
            found.append(_stored(path, options))
    for document in found:
        with problems.kept(HlError):
            # A document may name any file; only its name may be used where that is outside.
            here = Path(document.video.path)
            if here.is_absolute() and here.exists() and not allowed.covers(here):
                allowed.existing(str(here))
            present = as_it_is_now(document, relinker, is_elsewhere=bool(options.map_path))
            allowed_now = Path(present.document.video.path)
            if allowed_now != here:
                allowed.existing(str(allowed_now))
            for note in present.notes:
                task.remark(note)
            documents.append(present.document)
    problems.raise_if_nothing(documents)
    return _write(task, documents, options)


def _from_file(path: Path, options: ExportOptions) -> list[ScoresDocument]:
    from hlcli.document import read_documents, select_moments_of
    from hlcli.moments import Selection

    selection = options.selection()
    return [
        document.with_moments(select_moments_of(document, selection))
        if not document.moments or selection != Selection()
        else document
        for document in read_documents(path)
    ]


def _stored(path: Path, options: ExportOptions) -> ScoresDocument:
    from hlcli import stored_scores
    from hlcli.document import select_moments_of
    from hlcli.media.identity import content_identity
    from hlcli.zoo.manifest import find_model

    model = None if options.model is None else find_model(options.model).sha256
    modality: Literal["v"] | None = "v" if options.visual_only else None
    document = stored_scores.find(content_identity(path), model, modality)
    if document is None:
        raise MediaError(f"{path} has not been scored yet like this", hint="score it first")
    document = replace(document, video=replace(document.video, path=str(path)))
    return document.with_moments(select_moments_of(document, options.selection()))


def _render(task: Task) -> Result:
    from hlcli.render.copying import render_copy
    from hlcli.render.run import render
    from hlcli.timeline.read import read_timeline

    options = RenderOptions.model_validate(task.job.options)
    allowed = task.allowed
    timeline = allowed.existing(task.job.paths[0])
    read = read_timeline(timeline, search=folders(options.search))
    for path in sorted({event.source.path for event in read.edit.events}):
        allowed.existing(path)
    for note in read.notes:
        task.remark(note)
    if options.output is not None:
        film = allowed.resolved(options.output)
    else:
        film = _own_folder(task) / f"{timeline.stem}.mp4"
    task.progress("rendering", 0, 0)
    if options.copy_:
        report = render_copy(read.edit, film, progress=task.progress)
    else:
        report = render(read.edit, film, options.settings(), progress=task.progress)
    for remark in report.remarks:
        task.remark(remark)
    return Result(files=[str(report.path)])


def _finetune(task: Task) -> Result:
    from hlcli.finetune.plan import STEPS, FinetuneSettings, make_plan
    from hlcli.finetune.run import carry_out as learn
    from hlcli.training.loop import StepReport
    from hlcli.zoo.reservation import reserve

    options = FinetuneOptions.model_validate(task.job.options)
    allowed = task.allowed
    steps = STEPS if options.steps is None else options.steps
    problems = _Problems(task)
    videos = _videos(task, problems)
    problems.raise_if_nothing(videos)
    settings = FinetuneSettings(
        name=options.name,
        footage=tuple(map(str, videos)),
        cuts=tuple(allowed.existing(text) for text in options.from_cut),
        labels=tuple(allowed.existing(text) for text in options.labels),
        search=tuple(folders(options.search)),
        parent=options.parent,
        device=task.device,
        steps=steps,
        adapt=not options.no_adapt,
        seed=options.seed,
    )

    def on_step(report: StepReport) -> None:
        task.progress("training", report.step, steps)

    today = datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat()
    with reserve(options.name) as reserved:
        plan = make_plan(settings, progress=task.progress)
        for note in (*plan.notes, *(note for one in plan.teachings for note in one.notes)):
            task.remark(note)
        outcome = learn(plan, reserved, created=today, progress=task.progress, on_step=on_step)
    if outcome is None:
        return Result()
    for warning in outcome.card.warnings:
        task.remark(warning.removesuffix("."))
    if outcome.check is not None:
        task.remark(
            f"average precision on held-out marks: {outcome.check.before:.3f} before, "
            f"{outcome.check.after:.3f} after"
        )
    return Result(model=outcome.manifest.name)


_TASKS: dict[str, Callable[[Task], Result]] = {
    "score": _score,
    "export": _export,
    "render": _render,
    "finetune": _finetune,
}


class _Problems:
    """Errors of single inputs: said, and raised only when nothing is left.

    Args:
        task: Whose they are.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._held: list[HlError] = []

    @contextlib.contextmanager
    def kept(self, kind: type[HlError]) -> Iterator[None]:
        """Go on after an error of this kind."""
        try:
            yield
        except (kind, Refused) as error:
            self._held.append(error)

    def raise_if_nothing(self, left: Sequence[Any]) -> None:
        """Say all problems, or raise the first when nothing could be used."""
        if not left and self._held:
            raise self._held[0]
        for error in self._held:
            self._task.problem(error)


def _videos(task: Task, problems: _Problems, *, without: Sequence[Path] = ()) -> list[Path]:
    """Return the videos of a job, each where it really is, none outside of what is allowed."""
    from hlcli.media.discover import find_videos

    allowed = task.allowed
    found: dict[Path, None] = {}
    for text in task.job.paths:
        if Path(text) in without:
            continue
        with problems.kept(MediaError):
            # Checked again: a link may lead elsewhere by now.
            for path in find_videos([str(allowed.existing(text))]):
                with problems.kept(MediaError):
                    found[allowed.existing(str(path))] = None
    return list(found)


def _write(task: Task, documents: list[ScoresDocument], options: ExportOptions) -> Result:
    """Write the scores, and the timelines that are asked for."""
    from hlcli.document import write_documents
    from hlcli.timeline.formats import TARGETS, write_format
    from hlcli.timeline.write import check_not_a_source, write_output

    write_documents(task.folder / SCORES_FILE, documents)
    result = Result(num_scores=len(documents))
    layout = options.layout()
    sources = [Path(document.video.path) for document in documents]
    outputs = as_list(options.output)
    task.progress("writing", 0, 0)
    for text in outputs:
        path = task.allowed.resolved(text)
        check_not_a_source(path, sources)
        written = write_output(path, documents, targets=options.targets, layout=layout)
        result.files.extend(map(str, written))
    if not outputs and options.targets:
        folder = _own_folder(task)
        stem = f"{sources[0].stem}-highlights" if len(sources) == 1 else "highlights"
        for name in options.targets:
            kind = f".{name}" if len(options.targets) > 1 else ""
            path = folder / f"{stem}{kind}{TARGETS[name].suffix}"
            write_format(path, documents, target=name, layout=layout)
            result.files.append(str(path))
    return result


def _own_folder(task: Task) -> Path:
    folder = task.folder / OUTPUT_FOLDER
    folder.mkdir(exist_ok=True)
    return folder
