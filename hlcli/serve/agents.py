"""The tools of `hl mcp`: what an agent can do with hl, over the Model Context Protocol.

The official Python SDK speaks the protocol on stdin and stdout; nothing else may be written there.
Paths are taken and refused as `hl serve` does: whole paths, below the roots, links followed first.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field, ValidationError

from hlcli import __version__
from hlcli.errors import HlError, unexpected
from hlcli.progress import Listener
from hlcli.serve.allowed import Allowed
from hlcli.serve.requests import (
    AnyOptions,
    ExportOptions,
    FindOptions,
    FinetuneOptions,
    MatchOptions,
    RenderOptions,
    ScoreOptions,
)

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument

INSTRUCTIONS = """hl finds the moments worth keeping in raw video and writes timelines for editors.
Usual order: score, moments (other lengths, without decoding), export, check, render. find looks for
words, match for the shots of a finished film, learn makes a model from an editor's cut, film or
marks. All paths are whole paths below the folders that hl mcp was
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

    def named(paths: Sequence[str]) -> list[str]:
        return [str(allowed.existing(path)) for path in paths]

    def score(paths: list[str], *, options: ScoreOptions) -> dict[str, Any]:
        """Find the moments worth keeping in videos (files or folders). Decodes them the first time.

        At most one of target_duration ("90s", "1m30s"), top (a number) and threshold (0 to 1).
        """
        from hlcli.workflows.score import score

        on = _Remarks()
        documents = score(
            named(paths),
            options.selection(),
            model=options.model,
            device=device,
            visual_only=options.visual_only,
            use_cache=not options.no_cache,
            proxies=options.proxies == "auto",
            draft=options.draft,
            transcripts=options.transcript,
            like=options.like,
            marks_from=options.marks_from,
            may_read=allowed.may_read,
            on=on,
        )
        return on.answer(documents, videos=[_video(document) for document in documents])

    def moments(paths: list[str], *, options: ExportOptions) -> dict[str, Any]:
        """Choose moments anew from videos that were scored, or from scores documents (.json)."""
        on = _Remarks()
        documents = stored(paths, options, on)
        return on.answer(documents, videos=[_video(document) for document in documents])

    def export(
        paths: list[str],
        outputs: list[str],
        program: str | None = None,
        *,
        options: ExportOptions,
    ) -> dict[str, Any]:
        """Write timelines, tables or documents of scored videos; the extension says what.

        outputs: .otio, .fcpxml, .xml, .edl, .aaf, .mlt, .kdenlive, .llc, .csv, .json, ... or an
        existing folder. program: resolve, premiere, finalcut, avid, shotcut, kdenlive, ...
        """
        from hlcli.workflows.export import need_no_media, relink_documents
        from hlcli.workflows.outputs import output_paths, write_outputs, write_rejects

        targets = [program] if program else []
        files, rejects = (
            output_paths([str(allowed.resolved(path)) for path in texts], targets)
            for texts in (outputs, filter(None, [options.rejects]))
        )
        on = _Remarks()
        documents = relink_documents(
            stored(paths, options, on, outputs=[*files, *rejects]),
            search=[allowed.existing(path) for path in options.search],
            without_media=need_no_media(files),
            layout=options.layout(),
            may_read=allowed.may_read,
            on=on,
        )
        written = write_outputs(
            files,
            documents,
            targets=targets,
            layout=options.layout(),
            may_read=allowed.may_read,
            on=on,
        )
        written += write_rejects(
            rejects,
            documents,
            targets=targets,
            layout=options.layout(),
            may_read=allowed.may_read,
            on=on,
        )
        return on.answer(written, files=list(map(str, written)))

    def find(words: str, paths: list[str], *, options: FindOptions) -> dict[str, Any]:
        """Find where words are heard, seen or said, best first. Scores what was not scored yet."""
        from hlcli.workflows.find import find

        on = _Remarks()
        documents = find(
            words,
            named(paths),
            top=options.top,
            model=options.model,
            device=device,
            may_read=allowed.may_read,
            on=on,
        )
        return on.answer(documents, videos=[_video(document) for document in documents])

    def match(
        film: str,
        footage: list[str],
        outputs: list[str] | None = None,
        program: str | None = None,
        *,
        options: MatchOptions,
    ) -> dict[str, Any]:
        """Find where each shot of a finished film is in the footage it was cut from.

        outputs: timelines to write, by their extension.
        """
        from hlcli.workflows.match import match

        on = _Remarks()
        conform = match(
            allowed.existing(film),
            named(footage),
            [allowed.resolved(path) for path in outputs or ()],
            targets=[program] if program else [],
            layout=options.layout(),
            model=options.model,
            device=device,
            may_read=allowed.may_read,
            on=on,
        )
        found = conform.to_json()
        files = list(map(str, conform.files))
        return on.answer(
            [found], files=files, **{key: found[key] for key in ("shots", "unmatched")}
        )

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

    def render(timeline: str, film: str, *, options: RenderOptions) -> dict[str, Any]:
        """Make the film of a timeline: .mp4, .mov or .mkv. each: one film for each cut."""
        from hlcli.workflows.render import render_films

        on = _Remarks()
        reports = render_films(
            allowed.existing(timeline),
            allowed.resolved(film),
            options.settings(),
            each=options.each,
            copy=options.copy_,
            captions=options.captions,
            search=[allowed.existing(path) for path in options.search],
            may_read=allowed.may_read,
            on=on,
        )
        films = [{"film": str(report.path), "frames": report.num_frames} for report in reports]
        return on.answer(films, films=films)

    def learn(
        footage: list[str],
        name: str,
        cuts: list[str] | None = None,
        films: list[str] | None = None,
        *,
        options: FinetuneOptions,
    ) -> dict[str, Any]:
        """Make a model of an editor's taste from finished cuts or films, or from marks.

        cuts: timelines of the footage. films: finished films of it. Then score with model=name.
        """
        from hlcli.media.discover import find_videos
        from hlcli.tuning.plan import STEPS, FinetuneSettings
        from hlcli.workflows.finetune import finetune

        on = _Remarks()
        videos = find_videos(named(footage), may_read=allowed.may_read, on=on)
        settings = FinetuneSettings(
            name=name,
            footage=tuple(map(str, videos)),
            cuts=tuple(allowed.existing(path) for path in cuts or ()),
            films=tuple(allowed.existing(path) for path in films or ()),
            labels=tuple(allowed.existing(path) for path in options.labels),
            from_marks=options.from_marks,
            search=tuple(allowed.existing(path) for path in options.search),
            parent=options.parent,
            device=device,
            steps=STEPS if options.steps is None else options.steps,
            adapt=options.adapt,
            seed=options.seed,
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

    def stored(
        paths: Sequence[str], options: ExportOptions, on: Listener, outputs: Sequence[Path] = ()
    ) -> list[ScoresDocument]:
        from hlcli.workflows.export import stored_documents
        from hlcli.workflows.likeness import Photographs
        from hlcli.workflows.transcripts import read_transcripts

        may_read = allowed.may_read
        transcripts = read_transcripts(options.transcript, outputs=outputs, may_read=may_read)
        like = Photographs(options.like, device=device, may_read=may_read)
        return stored_documents(
            named(paths),
            options.selection(),
            model=options.model,
            visual_only=options.visual_only,
            outputs=outputs,
            transcripts=transcripts,
            like=like if options.like else None,
            may_read=may_read,
            on=on,
        )

    for run, given in (
        (score, ScoreOptions),
        (moments, ExportOptions),
        (export, ExportOptions),
        (find, FindOptions),
        (match, MatchOptions),
        (check, None),
        (render, RenderOptions),
        (learn, FinetuneOptions),
    ):
        server.add_tool(_as_tool(run, given), structured_output=False)
    return server


_ELSEWHERE = {
    "output", "overwrite", "for_", "words", "film", "name", "from_cut", "from_film",
}  # fmt: skip
"""Options of jobs of `hl serve` that are arguments of the tools themselves, or mean nothing there:
a file that somebody changed is kept in any case."""
_ONLY_TIMELINES = {
    "order", "markers_only", "track_per_source", "start_timecode", "frame_rate", "map_path",
    "search", "rejects", "music",
}  # fmt: skip
"""Options that do nothing where no timeline is written."""


def _as_tool(
    run: Callable[..., dict[str, Any]], given: type[AnyOptions] | None
) -> Callable[..., str]:
    """Return a function for the SDK: its arguments are those of `run` and each of the options.

    What hl raises on purpose becomes the error of a tool, in words.

    Args:
        run: Does the work; takes `options` where there are some.
        given: What the options are, as `hl serve` takes them; None for none.
    """
    signature = inspect.signature(run, eval_str=True)
    parameters = [one for one in signature.parameters.values() if one.name != "options"]
    left_out = _ELSEWHERE | (_ONLY_TIMELINES if run.__name__ in ("score", "moments") else set())
    fields = {} if given is None else given.model_fields
    names = {
        field.alias or name: name
        for name, field in fields.items()
        if name not in left_out and name not in signature.parameters
    }
    # Without bounds: hl checks those, and its words say what to do.
    types = {} if given is None else get_type_hints(given)
    for shown, name in names.items():
        field = fields[name]
        about = Field(description=field.description, json_schema_extra=field.json_schema_extra)
        parameters.append(
            inspect.Parameter(
                shown,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.get_default(call_default_factory=True),
                annotation=Annotated[types[name], about],
            )
        )

    def answered(values: dict[str, Any]) -> dict[str, Any]:
        if given is None:
            return run(**values)
        chosen = {name: values.pop(shown) for shown, name in names.items()}
        own = {name: values[name] for name in fields.keys() & values.keys()}
        return run(**values, options=_checked(given, chosen | own))

    def tool(**values: Any) -> str:
        try:
            return _sendable(json.dumps(answered(values), ensure_ascii=False, indent=2))
        except ToolError:
            raise
        except Exception as error:
            told = error if isinstance(error, HlError) else unexpected(error)
            raise ToolError(_sendable(in_words(told))) from error

    tool.__name__, tool.__doc__ = run.__name__, inspect.getdoc(run)
    tool.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return tool


def _sendable(text: str) -> str:
    """Return a text as UTF-8 can say it: a name of Linux may hold what it cannot.

    What stands instead is also how JSON writes it.
    """
    return text.encode("utf-8", "backslashreplace").decode()


def _checked(given: type[AnyOptions], values: dict[str, Any]) -> AnyOptions:
    """Return options, refused in hl's own words where it has some.

    Raises:
        ToolError: One has a wrong shape.
        HlError: One is refused.
    """
    given.model_construct(**values).check()
    try:
        return given.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"][:1]))
        raise ToolError(f"{name}: {first['msg']}") from error


def _video(document: ScoresDocument) -> dict[str, Any]:
    """Return what an agent needs of a document: the moments, not every second."""
    value = document.to_json()
    return {
        "video": value["video"]["path"],
        "duration_seconds": value["video"]["duration_seconds"],
        "model": value["model"]["name"],
        "moments": value["moments"],
    } | {name: value[name] for name in ("marks", "damage") if value.get(name)}
