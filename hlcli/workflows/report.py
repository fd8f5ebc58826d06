"""The report on scored videos: what was found in them, as one page to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hlcli import scores_cache
from hlcli.atomic import check_folder, check_not_a_source, write_text
from hlcli.document import ScoresDocument, near_misses
from hlcli.errors import UsageError
from hlcli.media.discover import MayRead, any_file, find_videos
from hlcli.media.identity import content_identity
from hlcli.media.probe import MediaInfo, probe
from hlcli.moments import Selection
from hlcli.moments.budget import DEFAULT_LIMIT_SECONDS, DEFAULT_SHARE
from hlcli.progress import Listener
from hlcli.rendering.report import ReportedVideo, read_pictures, render_report, with_stills
from hlcli.timeline.build import Layout
from hlcli.timeline.paths import is_file
from hlcli.workflows.export import (
    choose_across_files,
    choose_moments,
    relink_documents,
    stored_documents,
)
from hlcli.workflows.replacing import replacing
from hlcli.workflows.score import Pipeline, as_of_now
from hlcli.zoo.manifest import find_detector

SUFFIXES = (".html", ".htm")
"""What a report can be called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringChoice:
    """How videos without stored scores are scored, and which stored ones count."""

    model: str | None = None
    """A detector; None takes stored scores by any, and else the default one."""
    device: str = "auto"
    """"auto", "cpu", "cuda", "cuda:N" or "mps"."""
    visual_only: bool = False
    """Leave the sound out even where there is some."""


def report(
    scores: ScoresDocument | str | Path | Sequence[ScoresDocument | str | Path],
    output: str | Path,
    *,
    selection: Selection | None = None,
    model: str | None = None,
    device: str = "auto",
    visual_only: bool = False,
    search: Sequence[Path] = (),
    on: Listener | None = None,
) -> Path:
    """Write a page with the curve, the moments, stills and the facts of videos, as `hl report`.

    Args:
        scores: Documents, files of documents, or videos; those that were not scored yet are.
        output: The page, with an extension of `SUFFIXES`; it appears whole or not at all.
        selection: Which moments to keep; None keeps those of a document.
        model: Only scores by this detector; None takes those that were made or shown last.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        visual_only: Only scores of the picture alone.
        search: Folders to look in for videos that are no longer where they were.
        on: Notified of progress, and of videos that cannot be used; without one the first raises.

    Returns:
        The page.

    Raises:
        UsageError: The extension is no page's.
        MediaError: No video can be used.
        DocumentError: A document is damaged.
        OutputError: The page cannot be written.
    """
    on = on or Listener()
    path = check_page(output)
    choice = ScoringChoice(model=model, device=device, visual_only=visual_only)
    documents: list[ScoresDocument] = []
    given = [scores] if isinstance(scores, (ScoresDocument, str, Path)) else scores
    for one in given:
        if not isinstance(one, ScoresDocument):
            documents += scored_documents([str(one)], selection, choice, outputs=[path], on=on)
        else:
            documents.append(one if selection is None else choose_moments(one, selection, on))
    has_any_own = any(
        isinstance(one, ScoresDocument) or str(one).lower().endswith(".json") for one in given
    )
    if selection is not None or not has_any_own:
        documents = choose_across_files(documents, selection, on)
    documents = relink_documents(
        documents, search=search, without_media=True, layout=Layout(), on=on
    )
    if documents:
        check_not_a_source(path, [Path(document.video.path) for document in documents])
        with on.one_file(path):
            page = report_page(documents, selection, on)
            with replacing(path, on):
                write_text(path, page)
            on.wrote(path, f"{len(page) / 1e6:.1f} MB")
    return path


def report_page(
    documents: Sequence[ScoresDocument], selection: Selection | None, on: Listener
) -> str:
    """Return the report on documents as HTML, with stills of the videos that are there.

    Args:
        documents: With their moments; at least one.
        selection: By which they were chosen; None where that is not known.
        on: Notified of progress, and of videos without stills.
    """
    files = [_probed(document, on) for document in documents]
    near = [near_misses(document, selection) for document in documents]
    shown = with_stills(documents, near)
    pictures = read_pictures(list(zip(shown, files, strict=True)), progress=on.progress)
    return render_report(
        [
            ReportedVideo(
                document=document,
                near=more,
                pictures=stills,
                rule=rule_words(selection),
                notes=() if info else ("The video is not here, so there are no stills of it.",),
            )
            for document, more, info, stills in zip(documents, near, files, pictures, strict=True)
        ]
    )


def check_page(output: str | Path) -> Path:
    """Return the path of a page that can be written.

    Raises:
        UsageError: The extension is no page's.
        OutputError: The folder does not exist or cannot be written.
    """
    path = Path(output).expanduser()
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"cannot write a report to {path}", hint="name a page: -o report.html")
    check_folder(path)
    return path


def scored_documents(
    inputs: Sequence[str],
    selection: Selection | None,
    choice: ScoringChoice,
    *,
    outputs: Sequence[Path] = (),
    moments: bool = True,
    may_read: MayRead = any_file,
    on: Listener,
) -> list[ScoresDocument]:
    """Return the scores of every input: stored ones where there are any, else made now.

    Args:
        inputs: Videos (files, folders, globs), or scores documents.
        selection: Which moments to keep; None is the default rule, and a document keeps its own.
        choice: Which stored scores count, and how the others are made.
        outputs: Files about to be written, none of which may be one of the videos.
        moments: Whether moments of videos are chosen.
        may_read: Asked for each file before it is looked at.
        on: Notified of progress, and of inputs that cannot be used.
    """
    documents: list[ScoresDocument] = []
    sha256 = None if choice.model is None else find_detector(choice.model).sha256
    pipeline: Pipeline | None = None
    for text in inputs:
        if text.lower().endswith(".json"):
            documents += stored_documents([text], selection, may_read=may_read, on=on)
            continue
        with on.one_file(text):
            videos = find_videos([text], may_read=may_read, on=on)
            for number, path in enumerate(videos, start=1):
                with on.one_file(path):
                    for output in outputs:
                        check_not_a_source(output, [path])
                    stored = scores_cache.find(
                        content_identity(path), sha256, "v" if choice.visual_only else None
                    )
                    if stored is not None:
                        document = as_of_now(stored, path, may_read)
                    else:
                        pipeline = pipeline or Pipeline(
                            model_name=choice.model,
                            device=choice.device,
                            proxies=True,
                            may_read=may_read,
                        )
                        on.begins(path, number, len(videos))
                        document = pipeline.score(
                            path,
                            visual_only=choice.visual_only,
                            progress=on.progress,
                            remark=on.remark,
                        )
                        if document.damage:
                            on.warning(f"{path.name}: {document.damage}; the rest was scored")
                    documents.append(
                        choose_moments(document, selection, on) if moments else document
                    )
    return documents


def rule_words(selection: Selection | None) -> str:
    """Say by which rule moments were chosen; None is the default rule, or the document's own."""
    usual = f"the best that fill {DEFAULT_SHARE:.0%}, at most {DEFAULT_LIMIT_SECONDS:g} s"
    if selection is None:
        return f"by default {usual}; a scores document keeps its own"
    if selection.top is not None:
        rule = f"the {selection.top} best"
    elif selection.threshold is not None:
        rule = f"whatever scores at least {selection.threshold:g}"
    elif selection.target_duration_seconds is not None:
        rule = f"the best that make {selection.target_duration_seconds:g} s"
    else:
        rule = usual
    return (
        f"{rule}; from {selection.min_duration_seconds:g} to {selection.max_duration_seconds:g} s, "
        f"with {selection.handles_seconds:g} s on each side"
    )


def _probed(document: ScoresDocument, on: Listener) -> MediaInfo | None:
    path = Path(document.video.path)
    info = None
    if is_file(path):
        with on.one_file(path):
            info = probe(path)
    else:
        on.warning(f"{path.name} is not there: the report has no stills of it")
    return info
