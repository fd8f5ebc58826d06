"""Where a job may write: below the roots, over nothing unless the client says so."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hlcli.serve.allowed import Allowed, is_own_name, is_there
from hlcli.serve.refusal import RequestError
from hlcli.serve.requests import ExportOptions, MatchOptions, RenderOptions


def check_export_outputs(
    options: ExportOptions | MatchOptions, allowed: Allowed, sources: list[Path]
) -> list[Path]:
    """Return the files outside the job's own folder that an export or a match will write.

    Args:
        options: What is asked for.
        allowed: What may be touched.
        sources: Files that are read.

    Raises:
        HlError: An extension is unknown, a path is outside or a source, a file is there already.
    """
    from hlcli.atomic import check_not_a_source
    from hlcli.workflows.outputs import check_output

    rejects = options.rejects if isinstance(options, ExportOptions) else None
    texts = [*options.outputs, *filter(None, [rejects])]
    for name in filter(is_own_name, texts):
        # The job's own folder is not there yet: any that can be written stands for it.
        check_output(Path(tempfile.gettempdir()) / name, options.targets)
    outputs = [_below_roots(text, allowed) for text in texts if not is_own_name(text)]
    for path in outputs:
        check_output(path, options.targets)
        check_not_a_source(path, sources)
        _check_free(path, overwrite=options.overwrite)
    return outputs


def check_film_output(
    options: RenderOptions, allowed: Allowed, sources: Sequence[Path] = ()
) -> list[Path]:
    """Return the film that a job will write outside its own folder, if any.

    Args:
        options: What is asked for.
        allowed: What may be touched.
        sources: Files that are read.

    Raises:
        HlError: It is no film, outside, a source, or there already.
    """
    from hlcli.atomic import check_folder, check_not_a_source
    from hlcli.rendering.settings import SUFFIXES

    if options.output is None:
        return []
    path = _below_roots(options.output, allowed)
    if path.suffix.lower() not in SUFFIXES:
        raise RequestError(
            f"{path.name[:200]} is no film", hint=f"use {', '.join(SUFFIXES)}", status=400
        )
    check_folder(path)
    check_not_a_source(path, sources)
    _check_free(path, overwrite=options.overwrite)
    numbered = re.compile(rf"{re.escape(path.stem)}-\d+{re.escape(path.suffix)}", re.IGNORECASE)
    for other in sorted(path.parent.iterdir()) if options.each else ():
        if numbered.fullmatch(other.name):
            _check_free(other, overwrite=options.overwrite)
    return [path]


def _below_roots(text: str, allowed: Allowed) -> Path:
    """Return where to write: never over a file outside, not even a picked one."""
    return Allowed(roots=allowed.roots).resolved(text)


def _check_free(path: Path, *, overwrite: bool) -> None:
    if not is_there(path):
        return
    if path.is_dir():
        # What would be written there is known too late to ask before something is written over.
        raise RequestError(f"{path} is a folder", hint="name a file in it", status=400)
    if not overwrite:
        raise RequestError(
            f"{path} is there already", hint="choose another name, or say overwrite", status=409
        )
