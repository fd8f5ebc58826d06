"""The scores that a command starts from: stored ones of videos, or scores documents."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hlcli.cli.console import show_error
from hlcli.errors import HlError, MediaError

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument
    from hlcli.moments import Selection


def stored_documents(
    inputs: Sequence[str],
    selection: Selection,
    *,
    model: str | None = None,
    visual_only: bool = False,
    outputs: Sequence[Path] = (),
) -> tuple[list[ScoresDocument], HlError | None]:
    """Find the scores of every input and choose moments from them, without decoding.

    What cannot be used is said on stderr and left out.

    Args:
        inputs: Videos scored before (files, folders, globs), or scores documents.
        selection: Which moments to keep; a document keeps its own where this is the default.
        model: Only scores by this detector; None takes the newest.
        visual_only: Only scores of the picture alone.
        outputs: Files about to be written, none of which may be one of the videos.

    Returns:
        The documents in the order of the inputs, and the first error, for the exit code.

    Raises:
        UnknownModelError: There is no such detector.
    """
    model_sha256 = _weights_of(model)
    documents: list[ScoresDocument] = []
    first_error: HlError | None = None
    for text in inputs:
        try:
            if text.lower().endswith(".json"):
                found = _from_scores(text, selection)
            else:
                found = _from_videos(
                    text, selection, model, model_sha256, visual_only=visual_only, outputs=outputs
                )
        except HlError as error:
            show_error(error)
            first_error = first_error or error
            continue
        for item in found:
            if isinstance(item, HlError):
                show_error(item)
                first_error = first_error or item
            else:
                documents.append(item)
    return documents, first_error


def _weights_of(model: str | None) -> str | None:
    if model is None:
        return None
    from hlcli.zoo.manifest import find_model

    return find_model(model).sha256


def _from_scores(text: str, selection: Selection) -> list[ScoresDocument | HlError]:
    """Read the documents of one file, or of the files that match a pattern."""
    from hlcli.document import read_documents, select_moments_of
    from hlcli.moments import Selection

    path = Path(text).expanduser()
    files = [path]
    if not path.exists():
        # A Windows shell leaves patterns to the program.
        files = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))] or [path]  # noqa: PTH207
    found: list[ScoresDocument | HlError] = []
    for file in files:
        try:
            for document in read_documents(file):
                if not document.moments or selection != Selection():
                    document = document.with_moments(select_moments_of(document, selection))
                found.append(document)
        except HlError as error:
            found.append(error)
    return found


def _from_videos(
    text: str,
    selection: Selection,
    model: str | None,
    model_sha256: str | None,
    *,
    visual_only: bool,
    outputs: Sequence[Path],
) -> list[ScoresDocument | HlError]:
    """Find the stored scores of every video an input names."""
    from hlcli import scores_cache
    from hlcli.document import select_moments_of
    from hlcli.media.discover import find_videos
    from hlcli.media.identity import content_identity
    from hlcli.timeline.write import check_not_a_source

    found: list[ScoresDocument | HlError] = []
    for path in find_videos([text]):
        for output in outputs:
            check_not_a_source(output, [path])
        try:
            document = scores_cache.find(
                content_identity(path), model_sha256, "v" if visual_only else None
            )
            if document is None:
                asked = (f" by the model {model}" if model else "") + (
                    " by its picture alone" if visual_only else ""
                )
                wanted = (f" --model {model}" if model else "") + (
                    " --visual-only" if visual_only else ""
                )
                raise MediaError(
                    f"{path} has not been scored yet{asked}",
                    hint=f"run `hl score {path}{wanted}` first",
                )
        except HlError as error:
            found.append(error)
            continue
        # It may have been moved since it was scored.
        document = replace(document, video=replace(document.video, path=str(path)))
        found.append(document.with_moments(select_moments_of(document, selection)))
    return found
