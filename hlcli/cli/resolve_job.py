"""`hl resolve-job`: what the scripts in DaVinci Resolve start in the background.

Not shown by `hl --help`: people have `hl score`. A job is a folder. The script writes `request.txt`
there and starts this command; `status.txt` says how far it is, then what came of it, and
`plan.txt` and `timeline.otio` hold the result. All paths go through these files, in UTF-8, because
a script on Windows can neither start a program with nor open a name that is not in its code page.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hlcli.cli.console import show_error
from hlcli.cli.resolve_status import Status
from hlcli.errors import HlError, TrainingError, UsageError, unexpected
from hlcli.parsing import parse_frame_rate
from hlcli.progress import Listener

if TYPE_CHECKING:
    from fractions import Fraction

    from hlcli.document import ScoresDocument
    from hlcli.moments import Selection

_OPTIONS = frozenset(
    {
        "target_duration",
        "top",
        "threshold",
        "min_duration",
        "max_duration",
        "handles",
        "visual_only",
        "model",
        "device",
        "order",
    }
)
"""Options of `hl score` a request may have, with underscores."""


@dataclass(frozen=True, slots=True)
class _Request:
    kind: str
    name: str
    frame_rate: str
    cut: str
    files: tuple[str, ...]
    chosen: dict[str, str] = field(default_factory=dict)


def resolve_job(
    folder: Annotated[
        Path, typer.Argument(help="Folder with request.txt.", metavar="FOLDER", show_default=False)
    ],
) -> None:
    """Do a job of the DaVinci Resolve plugin; its progress and result go into the folder."""
    with Status(folder) as status:
        if not status.is_ours:
            return  # A second press of the button: the first one is at work.
        try:
            request = _read(folder)
            if request.kind == "finetune":
                _finetune(request, status)
            else:
                _find(request, folder, status)
        except HlError as error:
            status.fail(error)
            show_error(error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            status.fail(HlError("hl was stopped", hint="start the script again to go on"))
            raise
        except Exception as error:
            # The plugin must hear of it; the console shows it and asks for a report.
            status.fail(unexpected(error))
            raise


def _find(request: _Request, folder: Path, status: Status) -> None:
    from hlcli.atomic import write_text
    from hlcli.timeline.build import Layout, build_edit_list
    from hlcli.timeline.resolve_plan import plan_records, write_timelines
    from hlcli.timeline.resolve_records import records_text

    selection = _selection(request.chosen)
    layout = Layout(
        order="rank" if _order(request.chosen) == "rank" else "time",
        markers_only=request.kind == "marks",
        frame_rate=_rate(request.frame_rate, status),
    )
    documents, asked = _documents(request, selection, status)
    edit = build_edit_list(documents, name=request.name, layout=layout)
    files = write_timelines(edit, folder.absolute()) if request.kind == "highlights" else []
    records = plan_records(edit, timeline_files=files, asked=asked)
    write_text(folder / "plan.txt", records_text(records))
    status.finish()


def _documents(
    request: _Request, selection: Selection | None, status: Status
) -> tuple[list[ScoresDocument], dict[str, str]]:
    """Score every file; one that cannot be read does not stop the others."""
    from hlcli.workflows.score import Pipeline, score_videos

    pipeline = Pipeline(
        model_name=request.chosen.get("model"), device=request.chosen.get("device", "auto")
    )
    on = _StatusListener(status, request.files)
    scored = score_videos(
        pipeline,
        [Path(name) for name in request.files],
        selection,
        visual_only=_flag(request.chosen, "visual_only"),
        on=on,
    )
    documents, asked = [], {}
    for document in scored:
        documents.append(document)
        asked[document.video.path] = on.file
    if on.first_error is not None and not documents:
        raise on.first_error
    return documents, asked


class _StatusListener(Listener):
    """Writes what a workflow tells into `status.txt`.

    Args:
        status: The file.
        files: What is worked on, as the request names it.
    """

    def __init__(self, status: Status, files: Sequence[str]) -> None:
        self._status = status
        self._files = files
        self.file = ""
        """The one that is worked on."""
        self.first_error: HlError | None = None
        """The first file that could not be used."""

    def begins(self, path: Path, number: int, count: int) -> None:
        """Name it."""
        self.file = self._files[number - 1]
        self._status.file(number, count, self.file)

    def progress(self, stage: str, done: float, total: float) -> None:
        """Pass it on."""
        self._status.progress(stage, done, total)

    def remark(self, text: str) -> None:
        """Pass it on."""
        self._status.warn(text)

    def problem(self, error: HlError) -> None:
        """Pass it on, and remember the first."""
        self.first_error = self.first_error or error
        self._status.warn(error.message)


def _finetune(request: _Request, status: Status) -> None:
    """Run `hl finetune` as anybody would; its words go to this job's log."""
    if not request.name or not request.cut:
        raise UsageError("a name for the model and a cut to learn from are missing")
    status.file(1, 1, request.cut)
    command = [sys.executable, "-m", "hlcli", "finetune", *request.files]
    command += ["--name", request.name, "--from-cut", request.cut]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise TrainingError(
            f"hl finetune ended with exit code {done.returncode}",
            hint="log.txt in the folder of the job has its words",
        )
    status.finish()


def _read(folder: Path) -> _Request:
    from hlcli.timeline.resolve_records import parse_records

    path = folder / "request.txt"
    try:
        records = parse_records(path.read_text(encoding="utf-8"))
        jobs = [record.fields for record in records if record.kind == "job"]
        request = _Request(
            kind=jobs[0]["kind"],
            name=jobs[0].get("name", ""),
            frame_rate=jobs[0].get("frame_rate", ""),
            cut=jobs[0].get("cut", ""),
            files=tuple(record.fields["path"] for record in records if record.kind == "file"),
            chosen={
                record.fields["name"]: record.fields["value"]
                for record in records
                if record.kind == "option"
            },
        )
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise UsageError(
            f"{path} is no request of the Resolve plugin: {error}",
            hint="run `hl plugins install resolve` again, so that both are of one version",
        ) from error
    if request.kind not in ("highlights", "marks", "finetune") or not request.files:
        raise UsageError(f"{path} asks for {request.kind!r} of {len(request.files)} files")
    if unknown := set(request.chosen) - _OPTIONS:
        raise UsageError(
            f"options.txt: {min(unknown)!r} is unknown",
            hint=f"use one of {', '.join(sorted(_OPTIONS))}",
        )
    return request


def _selection(chosen: dict[str, str]) -> Selection | None:
    from hlcli.workflows.requests import selection_of

    top = _number(chosen, "top")
    return selection_of(
        target_duration=chosen.get("target_duration"),
        top=None if top is None else int(top),
        threshold=_number(chosen, "threshold"),
        min_duration=chosen.get("min_duration"),
        max_duration=chosen.get("max_duration"),
        handles=chosen.get("handles"),
    )


def _number(chosen: dict[str, str], name: str) -> float | None:
    value = chosen.get(name)
    if value is None:
        return None
    try:
        return int(value) if name == "top" else float(value)
    except ValueError as error:
        raise UsageError(
            f"options.txt: {name} {value!r} is no number", hint="write it as: top 5"
        ) from error


def _order(chosen: dict[str, str]) -> str:
    order = chosen.get("order", "time")
    if order not in ("time", "rank"):
        raise UsageError(f"options.txt: order {order!r} is unknown", hint="use time or rank")
    return order


def _flag(chosen: dict[str, str], name: str) -> bool:
    value = chosen.get(name, "no")
    if value not in ("yes", "no"):
        raise UsageError(f"options.txt: {name} {value!r}", hint="write yes or no")
    return value == "yes"


def _rate(text: str, status: Status) -> Fraction | None:
    """Return the project's rate, as Resolve writes it: "24", "29.97", "29.97 DF"."""
    plain = text.removesuffix("DF").strip()
    if not plain:
        return None
    try:
        return parse_frame_rate(plain)
    except UsageError:
        status.warn(f"the project's rate {text} is unknown to hl: the timeline has the clip's")
        return None
