"""What a worker does for each kind of job, with the same functions as the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hlcli.errors import HlError, MediaError
from hlcli.progress import counts_bytes
from hlcli.serve.allowed import is_own_name
from hlcli.serve.finetune_task import finetune
from hlcli.serve.job import Result
from hlcli.serve.requests import (
    ExportOptions,
    RenderOptions,
    ScoreOptions,
    as_list,
    folders,
)
from hlcli.serve.store import OUTPUT_FOLDER, SCORES_FILE
from hlcli.serve.task import Problems, Task, find_allowed_videos

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument


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
    problems = Problems(task)
    for path in find_allowed_videos(task, problems):

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
    problems = Problems(task)
    files = [Path(text) for text in task.job.paths if text.lower().endswith(".json")]
    for file in files:
        with problems.kept(HlError):
            found.extend(_from_file(allowed.existing(str(file)), options))
    for path in find_allowed_videos(task, problems, without=files):
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
    from hlcli import scores_cache
    from hlcli.document import select_moments_of
    from hlcli.media.identity import content_identity
    from hlcli.zoo.manifest import find_model

    model = None if options.model is None else find_model(options.model).sha256
    modality: Literal["v"] | None = "v" if options.visual_only else None
    document = scores_cache.find(content_identity(path), model, modality)
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


_TASKS: dict[str, Callable[[Task], Result]] = {
    "score": _score,
    "export": _export,
    "render": _render,
    "finetune": finetune,
}


def _write(task: Task, documents: list[ScoresDocument], options: ExportOptions) -> Result:
    """Write the scores, and the timelines that are asked for."""
    from hlcli.document import write_documents
    from hlcli.timeline.formats import TARGETS, write_format
    from hlcli.timeline.write import check_not_a_source, write_output

    documents = [_named(task, document) for document in documents]
    write_documents(task.folder / SCORES_FILE, documents)
    # Said now: where a timeline cannot be written, the scores are there all the same.
    task.scored(len(documents))
    result = Result()
    layout = options.layout()
    sources = [Path(document.video.path) for document in documents]
    outputs = as_list(options.output)
    task.progress("writing", 0, 0)
    for text in outputs:
        own = is_own_name(text)
        path = _own_folder(task) / text if own else task.allowed.resolved(text)
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


def _named(task: Task, document: ScoresDocument) -> ScoresDocument:
    name = task.job.names.get(document.video.path)
    return document if name is None else replace(document, video=replace(document.video, path=name))


def _own_folder(task: Task) -> Path:
    folder = task.folder / OUTPUT_FOLDER
    folder.mkdir(exist_ok=True)
    return folder
