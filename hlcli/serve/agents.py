"""The tools of `hl mcp`: what an agent can do with hl, over the Model Context Protocol.

The official Python SDK speaks the protocol on stdin and stdout; nothing else may be written there.
Paths are taken and refused as `hl serve` does: whole paths, below the roots, links followed first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from hlcli import __version__
from hlcli.errors import HlError
from hlcli.progress import Listener
from hlcli.serve.allowed import Allowed

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument
    from hlcli.moments import MarksVote

INSTRUCTIONS = """hl finds the moments worth keeping in raw video and writes timelines for editors.
Usual order: score, moments (other lengths, without decoding), export, check, render. learn makes a
model from an editor's cut or marks. All paths are whole paths below the folders that hl mcp was
started with. Scoring takes about a tenth of the video's length, the first time only."""


class _Remarks(Listener):
    """Keeps what is told, for the answer; a problem with one file does not stop the others."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.problems: list[HlError] = []

    def remark(self, text: str) -> None:
        """Keep it."""
        self.lines.append(text)

    def problem(self, error: HlError) -> None:
        """Keep it."""
        self.problems.append(error)

    def answer(self, left: Sequence[Any], **values: Any) -> dict[str, Any]:
        """Return an answer with all that was told.

        Raises:
            HlError: Nothing is left, and there is a reason.
        """
        if not left and self.problems:
            raise self.problems[0]
        problems = [in_words(error) for error in self.problems]
        messages = {"remarks": self.lines, "problems": problems}
        return values | {name: lines for name, lines in messages.items() if lines}


def in_words(error: HlError) -> str:
    """Return what happened and what to do next, in one text."""
    # The rule for paths is that of the service, and so are its words.
    words = ". ".join(filter(None, (error.message, error.hint)))
    return words.replace("hl serve", "hl mcp")


def make_server(roots: Sequence[Path], *, device: str = "auto") -> MCPServer:
    """Return the server, not yet running.

    Args:
        roots: Folders below which everything may be read and written.
        device: As `--device` names it.
    """
    allowed = Allowed(roots=tuple(root.resolve() for root in roots))
    server = MCPServer("hl", instructions=INSTRUCTIONS, version=__version__, log_level="ERROR")

    def tool(function: Callable[..., dict[str, Any]]) -> None:
        server.add_tool(_with_errors(function), structured_output=False)

    def videos_of(paths: Sequence[str], on: Listener) -> list[Path]:
        from hlcli.media.discover import find_videos

        named = [str(allowed.existing(path)) for path in paths]
        return find_videos(named, may_read=allowed.may_read, on=on)

    def score(
        paths: list[str],
        target_duration: str | None = None,
        top: int | None = None,
        threshold: float | None = None,
        marks: str | None = None,
        model: str | None = None,
        visual_only: bool = False,
    ) -> dict[str, Any]:
        """Find the moments worth keeping in videos (files or folders). Decodes them the first time.

        At most one of target_duration ("90s", "1m30s"), top (a number) and threshold (0 to 1).
        """
        from hlcli.workflows.export import one_take_across
        from hlcli.workflows.requests import selection_of
        from hlcli.workflows.score import Pipeline, score_videos

        selection = selection_of(
            target_duration=target_duration, top=top, threshold=threshold, marks=_vote(marks)
        )
        on = _Remarks()
        pipeline = Pipeline(model_name=model, device=device)
        found = videos_of(paths, on)
        scored = score_videos(pipeline, found, selection, visual_only=visual_only, on=on)
        documents = one_take_across(list(scored), selection, on)
        return on.answer(documents, videos=[_video(document) for document in documents])

    def moments(
        paths: list[str],
        target_duration: str | None = None,
        top: int | None = None,
        threshold: float | None = None,
        marks: str | None = None,
    ) -> dict[str, Any]:
        """Choose moments anew from videos that were scored, or from scores documents (.json)."""
        on = _Remarks()
        documents = _stored(
            paths, on, target_duration=target_duration, top=top, threshold=threshold, marks=marks
        )
        return on.answer(documents, videos=[_video(document) for document in documents])

    def export(
        paths: list[str],
        outputs: list[str],
        program: str | None = None,
        target_duration: str | None = None,
        top: int | None = None,
        threshold: float | None = None,
        marks: str | None = None,
    ) -> dict[str, Any]:
        """Write timelines, tables or documents of scored videos; the extension says what.

        outputs: .otio, .fcpxml, .xml, .edl, .aaf, .mlt, .kdenlive, .llc, .csv, .json, ... or an
        existing folder. program: resolve, premiere, finalcut, avid, shotcut, kdenlive, ...
        """
        from hlcli.timeline.build import Layout
        from hlcli.workflows.export import need_no_media, relink_documents
        from hlcli.workflows.outputs import output_paths, write_outputs

        targets = [program] if program else []
        files = output_paths([str(allowed.resolved(path)) for path in outputs], targets)
        on = _Remarks()
        documents = _stored(
            paths, on, target_duration=target_duration, top=top, threshold=threshold, marks=marks,
            outputs=files,
        )  # fmt: skip
        documents = relink_documents(
            documents,
            without_media=need_no_media(files),
            layout=Layout(),
            may_read=allowed.may_read,
            on=on,
        )
        written = write_outputs(
            files, documents, targets=targets, layout=Layout(), may_read=allowed.may_read, on=on
        )
        return on.answer(written, files=list(map(str, written)))

    def check(timeline: str, program: str | None = None) -> dict[str, Any]:
        """Check a timeline against what an editing program is known to refuse or misplace."""
        from hlcli.timeline.check import check_program, check_timeline, programs_of

        path = allowed.existing(timeline)
        programs = [check_program(program)] if program else programs_of(path)
        # Media is not looked at: a timeline may name files outside the roots.
        return {
            "findings": {
                name: [
                    asdict(one) for one in check_timeline(path, target=name, look_at_media=False)
                ]
                for name in programs
            }
        }

    def render(
        timeline: str,
        film: str,
        size: str | None = None,
        vertical: bool = False,
        each: bool = False,
        copy: bool = False,
    ) -> dict[str, Any]:
        """Make the film of a timeline: .mp4, .mov or .mkv. each: one film for each cut."""
        from hlcli.workflows import render as workflow
        from hlcli.workflows.requests import render_settings_of

        settings = render_settings_of(size=size, vertical=vertical, copy=copy)
        on = _Remarks()
        path, output = allowed.existing(timeline), allowed.resolved(film)
        make = workflow.render_each if each else _alone(workflow.render)
        reports = make(path, output, settings, copy=copy, may_read=allowed.may_read, on=on)
        films = [{"film": str(report.path), "frames": report.num_frames} for report in reports]
        return on.answer(films, films=films)

    def learn(
        footage: list[str],
        name: str,
        cuts: list[str] | None = None,
        labels: list[str] | None = None,
        from_marks: bool = False,
        parent: str | None = None,
    ) -> dict[str, Any]:
        """Make a model of an editor's taste from finished cuts, tables of marks or camera marks.

        cuts: timelines of the footage. labels: .csv with file,start,end,label (keep or drop).
        Then score with model=name.
        """
        from hlcli.tuning.plan import FinetuneSettings
        from hlcli.workflows.finetune import finetune

        on = _Remarks()
        videos = videos_of(footage, on)
        settings = FinetuneSettings(
            name=name,
            footage=tuple(map(str, videos)),
            cuts=tuple(allowed.existing(path) for path in cuts or ()),
            labels=tuple(allowed.existing(path) for path in labels or ()),
            from_marks=from_marks,
            parent=parent,
            device=device,
        )
        outcome = finetune(settings, may_read=allowed.may_read, on=on)
        assert outcome is not None  # one process
        check = outcome.check
        return on.answer(
            [outcome],
            model=outcome.manifest.name,
            recommended=outcome.is_recommended,
            held_out=None if check is None else {"before": check.before, "after": check.after},
            warnings=list(outcome.card.warnings),
        )

    def _stored(
        paths: Sequence[str],
        on: Listener,
        *,
        target_duration: str | None,
        top: int | None,
        threshold: float | None,
        marks: str | None,
        outputs: Sequence[Path] = (),
    ) -> list[ScoresDocument]:
        from hlcli.workflows.export import stored_documents
        from hlcli.workflows.requests import selection_of

        return stored_documents(
            [str(allowed.existing(path)) for path in paths],
            selection_of(
                target_duration=target_duration, top=top, threshold=threshold, marks=_vote(marks)
            ),
            outputs=outputs,
            may_read=allowed.may_read,
            on=on,
        )

    for function in (score, moments, export, check, render, learn):
        tool(function)
    return server


def _with_errors(function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Turn what hl raises on purpose into the error of a tool, in words."""
    import functools

    @functools.wraps(function)
    def run(*arguments: Any, **named: Any) -> dict[str, Any]:
        try:
            return function(*arguments, **named)
        except HlError as error:
            raise ToolError(in_words(error)) from error

    return run


def _alone(render: Callable[..., Any]) -> Callable[..., list[Any]]:
    return lambda *arguments, **named: [render(*arguments, **named)]


def _vote(marks: str | None) -> MarksVote | None:
    return marks  # type: ignore[return-value]  # `Selection` checks it


def _video(document: ScoresDocument) -> dict[str, Any]:
    """Return what an agent needs of a document: the moments, not every second."""
    value = document.to_json()
    return {
        "video": value["video"]["path"],
        "duration_seconds": value["video"]["duration_seconds"],
        "model": value["model"]["name"],
        "moments": value["moments"],
    } | {name: value[name] for name in ("marks", "damage") if value.get(name)}
