"""What a worker does for each kind of job: the workflows, told to the service."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlcli.errors import HlError, UnexpectedError, UsageError
from hlcli.progress import Listener, counts_bytes
from hlcli.serve.allowed import Allowed, is_own_name
from hlcli.serve.job import Job, Result
from hlcli.serve.refusal import problem, problem_of
from hlcli.serve.requests import (
    ExportOptions,
    FindOptions,
    FinetuneOptions,
    MatchOptions,
    RenderOptions,
    ScoreOptions,
    folders,
)
from hlcli.serve.store import OUTPUT_FOLDER, SCORES_FILE

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument

BUG_HINT = "this is a bug in hl; the terminal of hl serve says where the details are"
"""What to do about an exception that nobody foresaw."""


class Teller(Listener):
    """Tells the service what a workflow tells; problems at the end, with the rest.

    Args:
        send: Takes messages.
        progress: Called with how far it is.
    """

    def __init__(
        self, send: Callable[[dict[str, Any]], None], progress: Callable[[str, float, float], None]
    ) -> None:
        self.send = send
        self._progress = progress
        self._name = ""
        self._problems: list[HlError] = []

    def begins(self, path: Path, number: int, count: int) -> None:
        """Name the stages after the file."""
        self._name = path.name

    def progress(self, stage: str, done: float, total: float) -> None:
        """Pass it on."""
        is_plain = not self._name or counts_bytes(stage)
        self._progress(stage if is_plain else f"{self._name}: {stage}", done, total)

    def remark(self, text: str) -> None:
        """Pass it on."""
        self.send({"event": "remark", "text": text})

    def problem(self, error: HlError) -> None:
        """Keep it: where nothing else is left, the job fails with it."""
        self._problems.append(error)

    def raise_if_nothing(self, left: Sequence[Any]) -> None:
        """Pass all problems on, or raise the first when nothing could be used.

        Raises:
            HlError: There are problems and nothing else.
        """
        if not left and self._problems:
            raise self._problems[0]
        for error in self._problems:
            self.send({"event": "problem", **shown_problem(error)})
        self._problems.clear()


def shown_problem(error: HlError) -> dict[str, Any]:
    """Return what a client sees of an error; the details of a bug go to the terminal."""
    if not isinstance(error, UnexpectedError):
        return problem_of(error)
    traceback.print_exception(error.__cause__)
    kind = type(error.__cause__).__name__
    return problem(f"unexpected: {kind}", hint=BUG_HINT, exit_code=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One job in the worker that does it."""

    job: Job
    """What is asked for."""
    folder: Path
    """The job's own folder."""
    device: str
    """As `--device` names it."""
    on: Teller
    """Told what comes of it."""

    @property
    def allowed(self) -> Allowed:
        """What may be read."""
        return self.job.allowed

    def own_folder(self) -> Path:
        """Return where files go that have no folder of their own."""
        folder = self.folder / OUTPUT_FOLDER
        folder.mkdir(exist_ok=True)
        return folder


def run_task(task: Task) -> Result:
    """Do a job.

    Raises:
        HlError: It failed.
    """
    return _TASKS[task.job.kind](task)


def _score(task: Task) -> Result:
    from hlcli.workflows.score import score

    options = ScoreOptions.model_validate(task.job.options)
    documents = score(
        task.job.paths,
        options.selection(),
        model=options.model,
        device=task.device,
        visual_only=options.visual_only,
        use_cache=not options.no_cache,
        proxies=options.proxies == "auto",
        draft=options.draft,
        transcripts=options.transcript,
        like=options.like,
        marks_from=options.marks_from,
        may_read=task.allowed.may_read,
        on=task.on,
    )
    return _write(task, documents, options)


def _export(task: Task) -> Result:
    from hlcli.workflows.export import relink_documents, stored_documents
    from hlcli.workflows.likeness import Photographs
    from hlcli.workflows.transcripts import read_transcripts

    options, may_read = ExportOptions.model_validate(task.job.options), task.allowed.may_read
    like = Photographs(options.like, device=task.device, may_read=may_read)
    documents = stored_documents(
        task.job.paths,
        options.selection(),
        model=options.model,
        visual_only=options.visual_only,
        transcripts=read_transcripts(options.transcript, may_read=may_read),
        like=like if options.like else None,
        may_read=may_read,
        on=task.on,
    )
    documents = relink_documents(
        documents,
        search=folders(options.search),
        layout=options.layout(),
        may_read=task.allowed.may_read,
        on=task.on,
    )
    return _write(task, documents, options)


def _find(task: Task) -> Result:
    from hlcli.workflows.find import find

    options = FindOptions.model_validate(task.job.options)
    documents = find(
        options.words,
        task.job.paths,
        top=options.top,
        model=options.model,
        device=task.device,
        may_read=task.allowed.may_read,
        on=task.on,
    )
    task.on.raise_if_nothing(documents)
    if documents:
        _keep_scores(task, documents)
    return Result()


def _match(task: Task) -> Result:
    from hlcli.workflows.match import match

    options, allowed = MatchOptions.model_validate(task.job.options), task.allowed
    named = [_output(task, text) for text in options.outputs]
    conform = match(
        allowed.existing(options.film),
        task.job.paths,
        named or [task.own_folder()],
        targets=options.targets,
        layout=options.layout(),
        model=options.model,
        device=task.device,
        may_read=allowed.may_read,
        on=task.on,
    )
    found, missing = len(conform.found.shots), len(conform.found.unmatched)
    task.on.remark(f"{found} shots found; {missing} stretches of the film are not in the footage")
    task.on.raise_if_nothing(conform.files)
    return Result(files=list(map(str, conform.files)))


def _render(task: Task) -> Result:
    from hlcli.workflows.render import render_films

    options = RenderOptions.model_validate(task.job.options)
    timeline = task.allowed.existing(task.job.paths[0])
    if timeline.suffix.lower() == ".json":
        return _render_documents(task, timeline, options)
    if options.output is not None:
        film = task.allowed.resolved(options.output)
    else:
        film = task.own_folder() / f"{timeline.stem}.mp4"
    task.on.progress("rendering", 0, 0)
    reports = render_films(
        timeline,
        film,
        options.settings(),
        each=options.each,
        copy=options.copy_,
        captions=options.captions,
        search=folders(options.search),
        may_read=task.allowed.may_read,
        on=task.on,
    )
    task.on.raise_if_nothing(reports)
    return Result(files=[str(report.path) for report in reports])


def _render_documents(task: Task, path: Path, options: RenderOptions) -> Result:
    """Make a film of the moments of scores documents, with its timeline beside it."""
    from hlcli.document import read_documents
    from hlcli.timeline.build import Layout
    from hlcli.workflows.export import relink_documents
    from hlcli.workflows.outputs import write_outputs
    from hlcli.workflows.transcripts import read_transcripts, transcripts_of, with_transcript

    if options.each:
        raise UsageError(
            "each goes with a timeline, not with scores", hint="export a timeline, and render that"
        )
    documents = read_documents(path)
    if options.captions:
        said = transcripts_of(
            read_transcripts(options.captions, may_read=task.allowed.may_read),
            [document.video.path for document in documents],
            option="captions",
        )
        documents = [
            with_transcript(document, transcript, task.on)
            for document, transcript in zip(documents, said, strict=True)
        ]
    documents = relink_documents(
        documents,
        search=folders(options.search),
        layout=Layout(),
        may_read=task.allowed.may_read,
        on=task.on,
    )
    task.on.raise_if_nothing(documents)
    if options.output is not None:
        film = task.allowed.resolved(options.output)
    else:
        film = task.own_folder() / f"{Path(documents[0].video.path).stem}-highlights.mp4"
    task.on.progress("rendering", 0, 0)
    written = write_outputs(
        [film],
        documents,
        film=options.settings(),
        may_read=task.allowed.may_read,
        on=task.on,
    )
    task.on.raise_if_nothing(written)
    return Result(files=list(map(str, reversed(written))))


def _proxy(task: Task) -> Result:
    from hlcli.workflows.proxy import make_proxy

    video = task.allowed.existing(task.job.paths[0])
    made = make_proxy(video, Path(task.job.outputs[0]), progress=task.on.progress)
    return Result(files=[str(made)])


def _finetune(task: Task) -> Result:
    from hlcli.media.discover import find_videos
    from hlcli.tuning.plan import STEPS, FinetunePlan, FinetuneSettings
    from hlcli.workflows.finetune import finetune

    options = FinetuneOptions.model_validate(task.job.options)
    allowed, on = task.allowed, task.on
    steps = STEPS if options.steps is None else options.steps
    videos = find_videos(task.job.paths, may_read=allowed.may_read, on=on)
    on.raise_if_nothing(videos)
    settings = FinetuneSettings(
        name=options.name,
        footage=tuple(map(str, videos)),
        cuts=tuple(allowed.existing(text) for text in options.from_cut),
        films=tuple(allowed.existing(text) for text in options.from_film),
        labels=tuple(allowed.existing(text) for text in options.labels),
        from_marks=options.from_marks,
        search=tuple(folders(options.search)),
        parent=options.parent,
        device=task.device,
        steps=steps,
        adapt=options.adapt,
        seed=options.seed,
    )

    def on_plan(plan: FinetunePlan) -> None:
        for note in (
            *plan.notes,
            *(note for annotation in plan.annotations for note in annotation.notes),
        ):
            on.remark(note)

    outcome = finetune(
        settings,
        may_read=allowed.may_read,
        on=on,
        on_plan=on_plan,
        on_step=lambda report: on.progress("training", report.step, steps),
    )
    if outcome is None:
        return Result()
    for warning in outcome.card.warnings:
        on.remark(warning.removesuffix("."))
    if outcome.check is not None:
        on.remark(
            f"average precision on held-out marks: {outcome.check.before:.3f} before, "
            f"{outcome.check.after:.3f} after"
        )
    return Result(model=outcome.manifest.name)


_TASKS: dict[str, Callable[[Task], Result]] = {
    "score": _score,
    "export": _export,
    "render": _render,
    "finetune": _finetune,
    "proxy": _proxy,
    "find": _find,
    "match": _match,
}


def _keep_scores(task: Task, documents: list[ScoresDocument]) -> list[ScoresDocument]:
    """Write documents into the job's folder; returns them with the client's names of videos."""
    from hlcli.document import write_documents

    documents = [_named(task, document) for document in documents]
    write_documents(task.folder / SCORES_FILE, documents)
    task.on.send({"event": "scored", "num_scores": len(documents)})
    return documents


def _write(task: Task, documents: list[ScoresDocument], options: ExportOptions) -> Result:
    """Write the scores, and the timelines that are asked for."""
    from hlcli.atomic import check_not_a_source
    from hlcli.timeline.formats import TARGETS
    from hlcli.workflows.outputs import write_outputs, write_rejects

    task.on.raise_if_nothing(documents)
    # Said now: where a timeline cannot be written, the scores are there all the same.
    documents = _keep_scores(task, documents)
    sources = [Path(document.video.path) for document in documents]
    outputs = [(_output(task, text), options.targets) for text in options.outputs]
    if not outputs and options.targets:
        stem = f"{sources[0].stem}-highlights" if len(sources) == 1 else "highlights"
        for name in options.targets:
            kind = f".{name}" if len(options.targets) > 1 else ""
            path = task.own_folder() / f"{stem}{kind}{TARGETS[name].suffix}"
            outputs.append((path, [name]))
    task.on.progress("writing", 0, 0)
    written: list[Path] = []
    for path, targets in outputs:
        with task.on.one_file(path):
            check_not_a_source(path, sources)
            written += write_outputs(
                [path],
                documents,
                targets=targets,
                layout=options.layout(),
                may_read=task.allowed.may_read,
                on=task.on,
            )
    if outputs:
        task.on.raise_if_nothing(written)
    if options.rejects is not None:
        written += write_rejects(
            [_output(task, options.rejects)],
            documents,
            targets=options.targets[:1],
            layout=options.layout(),
            may_read=task.allowed.may_read,
            on=task.on,
        )
    return Result(files=list(map(str, written)))


def _output(task: Task, text: str) -> Path:
    """Return the file that a client means: a name alone lies in the job's own folder."""
    return task.own_folder() / text if is_own_name(text) else task.allowed.resolved(text)


def _named(task: Task, document: ScoresDocument) -> ScoresDocument:
    name = task.job.names.get(document.video.path)
    return document if name is None else replace(document, video=replace(document.video, path=name))
