"""Where one may write, which file gets what, and writing that goes on after one error."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from hlcli.atomic import check_folder, output_error
from hlcli.document import ScoresDocument
from hlcli.errors import OutputError, UsageError
from hlcli.media.discover import MayRead, any_file
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.progress import Listener
from hlcli.rendering.settings import SUFFIXES, RenderSettings
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.formats import check_target, format_of, write_format
from hlcli.timeline.paths import map_path, media_path
from hlcli.workflows.replacing import replacing


def output_paths(
    names: Sequence[str | Path], targets: Sequence[str] = (), *, films: bool = False
) -> list[Path]:
    """Return outputs as paths that can be written to; one with a slash at its end is made a folder.

    Args:
        names: Files and folders, as people write them.
        targets: Values of --for.
        films: See `check_output`.

    Raises:
        UsageError: See `check_output`.
        OutputError: See `check_output`; or a folder cannot be made.
    """
    for target in targets:
        check_target(target)
    outputs = []
    for name in names:
        path = Path(name).expanduser()
        if str(name).endswith(("/", os.sep)) and not path.exists():
            try:
                path.mkdir(parents=True)
            except OSError as error:
                raise OutputError(
                    f"cannot make the folder {path}: {error.strerror or error}",
                    hint="choose a folder you may write to",
                ) from error
        check_output(path, targets, films=films)
        outputs.append(path)
    return outputs


def check_output(path: Path, targets: Sequence[str] = (), *, films: bool = False) -> None:
    """Refuse an output that could not be written, before any work is done for it.

    Args:
        path: A file with a known extension, or an existing folder.
        targets: Values of --for; a file is for one at most.
        films: Whether it may be a film.

    Raises:
        UsageError: The extension or a target is unknown, or they do not go together.
        OutputError: The folder does not exist or cannot be written.
        FfmpegMissingError: It is a film, and there is no program to make it with.
    """
    for target in targets:
        check_target(target)
    try:
        is_folder = path.is_dir()
    except OSError as error:  # the name is too long, or a folder above may not be searched
        raise output_error(path, error) from error
    if not is_folder:
        if len({check_target(name).name for name in targets}) > 1:
            raise UsageError(
                f"{path} is one file, --for is given {len(targets)} times",
                hint=f"name a folder, as {path}{os.sep}: it gets one file for each program",
            )
        if films and path.suffix.lower() in SUFFIXES:
            find_ffmpeg()
        else:
            format_of(path, targets[0] if targets else None)
    check_folder(path)


def write_outputs(
    outputs: Sequence[Path],
    documents: Sequence[ScoresDocument],
    *,
    targets: Sequence[str] = (),
    layout: Layout | None = None,
    film: RenderSettings | None = None,
    noun: str = "moment",
    may_read: MayRead = any_file,
    on: Listener | None = None,
) -> list[Path]:
    """Write documents to every output; one that fails does not stop those after it.

    A film is written with its timeline beside it. A file that somebody changed since `hl` wrote it
    is kept: `hlcli.workflows.replacing`.

    Args:
        outputs: Files and folders, each as `check_output` takes it.
        documents: Scores documents with their moments, in the order of the timeline; nothing is
            written for none.
        targets: Values of --for.
        layout: How to lay the moments on a timeline; None as they happened.
        film: How a film is made; None refuses films.
        noun: What the moments are called.
        may_read: Asked for the videos that a bundle or a film takes pictures from, and for music.
        on: Notified of what was written, and what could not be.

    Returns:
        The files written, as `output_files` names them.

    Raises:
        HlError: One could not be written, where no listener takes it.
    """
    on = on or Listener()
    written: list[Path] = []
    if outputs and documents and layout is not None and layout.music is not None:
        may_read(layout.music)
    if outputs and documents and layout is not None:
        _warn_of_idle_maps(documents, layout, on)
    for path in outputs if documents else ():
        with on.one_file(path):
            check_output(path, targets, films=film is not None)
            if film is not None and path.suffix.lower() in SUFFIXES and not path.is_dir():
                read = [Path(document.video.path) for document in documents]
                for file in (*read, *filter(None, (film.font, film.music))):
                    may_read(file)
                written += _write_film(path, documents, film, targets, layout or Layout(), on)
                continue
            for file, target, part in output_files(path, documents, targets):
                with on.one_file(file):
                    if format_of(file, target).holds_media:
                        maps = layout.path_maps if layout is not None else ()
                        for document in part:
                            may_read(Path(map_path(document.video.path, maps)))
                    with replacing(file, on):
                        write_format(file, part, target=target, layout=layout)
                    written.append(file)
                    advice = format_of(file).advice if not targets else ""
                    on.wrote(file, _contents(part, advice, noun))
    return written


def check_music(layout: Layout) -> None:
    """Refuse music that cannot be read, before anything is done; what is found in it is kept.

    Raises:
        MediaError: It cannot be read, or has no sound.
    """
    if layout.music is not None:
        # Here: most timelines need nothing that decodes.
        from hlcli.media.accents import find_accents

        find_accents(layout.music)


def write_rejects(
    outputs: Sequence[Path],
    documents: Sequence[ScoresDocument],
    *,
    targets: Sequence[str] = (),
    layout: Layout | None = None,
    may_read: MayRead = any_file,
    on: Listener | None = None,
) -> list[Path]:
    """Write what nobody can use of the documents' videos, with the reason on each clip.

    Args:
        outputs: As `write_outputs` takes them, no films. Nothing is written where nothing was
            found.
        documents: Scores documents; their moments do not count.
        targets: Values of --for.
        layout: How to lay the clips on a timeline.
        may_read: See `write_outputs`.
        on: Notified of what was written, and what could not be.

    Returns:
        The files written.
    """
    on = on or Listener()
    rejects = [document.rejects() for document in documents if document.unusable]
    if outputs and documents and not rejects:
        on.remark(f"{', '.join(map(str, outputs))}: not written, nothing is unusable")
    if layout is not None:
        layout = replace(layout, music=None)
    return write_outputs(
        outputs,
        rejects,
        targets=targets,
        layout=layout,
        noun="reject",
        may_read=may_read,
        on=on,
    )


def output_files(
    path: Path, documents: Sequence[ScoresDocument], targets: Sequence[str] = ()
) -> Iterator[tuple[Path, str | None, Sequence[ScoresDocument]]]:
    """Say which files an output is made of, for which program each is, and what goes into it.

    Args:
        path: As `check_output` takes it.
        documents: Scores documents, in the order of the timeline.
        targets: Values of --for; none is `generic` for a folder, the format's own for a file.

    Yields:
        One file with all documents, or in a folder for each document and target `NAME.otio`,
        `NAME.resolve.otio` where targets share an extension; videos of one name get `NAME`,
        `NAME-2`, ...
    """
    if not path.is_dir():
        yield path, check_target(targets[0]).name if targets else None, documents
        return
    wanted = list({one.name: one for one in map(check_target, targets or ["generic"])}.values())
    suffixes = [target.suffix for target in wanted]
    taken: set[str] = set()
    for document in documents:
        stem = media_path(document.video.path).stem
        name, number = stem, 1
        while name.casefold() in taken:  # most file systems do not tell case apart
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        for target in wanted:
            kind = f".{target.name}" if suffixes.count(target.suffix) > 1 else ""
            yield path / f"{name}{kind}{target.suffix}", target.name, [document]


def check_names(outputs: Sequence[Path], videos: Sequence[Path]) -> None:
    """Refuse a folder for several runs that score a part of the videos each, where names clash.

    `output_files` numbers videos of one name, which a run can do only for those it knows.

    Raises:
        UsageError: Two videos have one name, and an output is a folder.
    """
    seen: dict[str, Path] = {}
    for video in videos if any(output.is_dir() for output in outputs) else ():
        other = seen.setdefault(video.stem.casefold(), video)
        if other != video:
            raise UsageError(
                f"{other} and {video} would be written to one file, by two runs",
                hint="leave -o out, and when all parts are done: hl export VIDEO... -o FOLDER",
            )


def _write_film(
    path: Path,
    documents: Sequence[ScoresDocument],
    settings: RenderSettings,
    targets: Sequence[str],
    layout: Layout,
    on: Listener,
) -> list[Path]:
    """Render the moments, with the timeline beside the film for whoever wants to change the cut."""
    # Here, because most outputs need no video decoder.
    from hlcli.rendering.film import render

    target = check_target(targets[0] if targets else "generic")
    timeline = path.with_suffix(target.suffix)
    with replacing(timeline, on):
        write_format(timeline, documents, target=target.name, layout=layout)
    # Folders of another machine have nothing to render from.
    edit = build_edit_list(documents, name=path.stem, layout=replace(layout, path_maps=()))
    on.begins(path, 1, 1)
    report = render(edit, path, settings, progress=on.progress)
    for remark in report.remarks:
        on.remark(f"{path.name}: {remark}")
    on.wrote(path, f"{_contents(documents, '')}; its timeline is {timeline.name}")
    return [timeline, path]


def _contents(documents: Sequence[ScoresDocument], advice: str, noun: str = "moment") -> str:
    """Say how many moments are in a file, by which detectors, and what else one should know."""
    count = sum(not one.continues for document in documents for one in document.moments)
    models = dict.fromkeys(
        f"{document.model.name} {document.model.version}" for document in documents
    )
    words = f"{count} {noun}{'' if count == 1 else 's'} by {' and '.join(models)}"
    return f"{words}; {advice}" if advice else words


def _warn_of_idle_maps(documents: Sequence[ScoresDocument], layout: Layout, on: Listener) -> None:
    """Say which --map-path holds none of the videos: a typo, most of the time."""
    paths = [document.video.path for document in documents]
    for start, end in layout.path_maps:
        if start != end and all(map_path(path, [(start, end)]) == path for path in paths):
            on.warning(f"--map-path: no video lies in {start}")
