"""`hl mcp`, asked by the official SDK's own client."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine
from fractions import Fraction
from pathlib import Path
from typing import Any

import media_factory
import pytest
from document_factory import make_document
from finetune_factory import make_take
from render_factory import cuts, source_of

pytest.importorskip("mcp", reason="the extra mcp is not installed")

from mcp import Client, StdioServerParameters

from hlcli.media.identity import content_identity
from hlcli.serve.agents import make_server
from hlcli.timeline.formats import write_edit

TOOLS = {"score", "moments", "export", "find", "match", "check", "render", "learn"}
Ask = Callable[..., Coroutine[Any, Any, tuple[bool, Any]]]


def talk(server: Any, conversation: Callable[[Ask], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with Client(server) as client:
            listed = await client.list_tools()
            assert {tool.name for tool in listed.tools} == TOOLS
            assert all(tool.description for tool in listed.tools)

            async def ask(tool: str, **arguments: Any) -> tuple[bool, Any]:
                answer = await client.call_tool(tool, arguments)
                text = answer.content[0].text  # type: ignore[union-attr]
                return bool(answer.is_error), text if answer.is_error else json.loads(text)

            await conversation(ask)

    asyncio.run(run())


@pytest.mark.slow
def test_every_tool_over_stdin_and_stdout(tmp_path: Path) -> None:
    video = media_factory.make_video(
        tmp_path, name="match.mp4", rate=Fraction(5), num_frames=60, width=48, height=32
    )
    takes = [make_take(tmp_path / "raw", number) for number in range(2)]
    (tmp_path / "marks.csv").write_text(
        "file,start,end,label\n"
        + "".join(f"{take.name},0,5,keep\n{take.name},10,20,drop\n" for take in takes)
    )

    async def conversation(ask: Ask) -> None:
        failed, scored = await ask("score", paths=[str(video)], top=1, visual_only=True)
        assert not failed, scored
        (one,) = scored["videos"]
        assert one["video"] == str(video)
        assert len(one["moments"]) == 1
        failed, chosen = await ask("moments", paths=[str(video)], target_duration="5s")
        assert not failed, chosen
        (moment,) = chosen["videos"][0]["moments"]
        assert moment["end_seconds"] - moment["start_seconds"] == pytest.approx(5)
        timeline = tmp_path / "cut.otio"
        failed, written = await ask(
            "export", paths=[str(video)], outputs=[str(timeline)], program="resolve", top=1
        )
        assert not failed, written
        assert written["files"] == [str(timeline)]
        failed, checked = await ask("check", timeline=str(timeline), program="resolve")
        assert not failed, checked
        assert [one for one in checked["findings"]["resolve"] if one["severity"] == "error"] == []
        film = tmp_path / "reel.mp4"
        failed, made = await ask("render", timeline=str(timeline), film=str(film))
        assert not failed, made
        assert film.is_file()
        failed, made = await ask("render", timeline=str(timeline), film=str(film), each=True)
        assert not failed, made
        assert made["films"][0]["film"] == str(tmp_path / "reel-01.mp4")
        failed, learned = await ask(
            "learn",
            footage=[str(tmp_path / "raw")],
            name="agent",
            labels=[str(tmp_path / "marks.csv")],
        )
        assert not failed, learned
        assert learned["model"] == "agent"
        assert set(learned["held_out"]) == {"before", "after"}

    talk(
        StdioServerParameters(
            command=sys.executable,
            args=["-m", "hlcli", "mcp", "--root", str(tmp_path), "--device", "cpu"],
            env=_environment(),
        ),
        conversation,
    )


def _environment() -> dict[str, str]:
    return dict(os.environ)


def test_bad_arguments_are_answered_in_words(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    outside = tmp_path / "secret.mp4"
    outside.write_bytes(b"x")
    (tmp_path / "in" / "link.mp4").symlink_to(outside)
    text = tmp_path / "in" / "a.mp4"
    text.write_text("no video")
    (tmp_path / "in" / "bad.otio").write_text("{}")
    video = media_factory.make_video(tmp_path / "in", name="b.mov", num_frames=5)
    write_edit(tmp_path / "in" / "good.otio", cuts([(source_of(video), 0, 5)]))

    async def conversation(ask: Ask) -> None:
        inside = str(tmp_path / "in")
        for tool, arguments, words in (
            ("score", {"paths": [str(outside)]}, "outside the folders that hl mcp may read"),
            ("score", {"paths": [f"{inside}/link.mp4"]}, "outside the folders"),
            ("score", {"paths": [f"{inside}/../secret.mp4"]}, "outside the folders"),
            ("score", {"paths": ["a.mp4"]}, "no whole path"),
            ("score", {"paths": [f"{inside}/gone.mp4"]}, "no such file"),
            ("score", {"paths": [str(text)]}, "cannot read"),
            ("score", {"paths": [str(text)], "top": 0}, "--top must be at least 1"),
            ("score", {"paths": [str(text)], "marks": "loud"}, "--marks: 'loud' is unknown"),
            ("score", {"paths": [str(text)], "model": "nobody"}, "nobody"),
            ("score", {"paths": "everything"}, "paths"),
            ("score", {}, "paths"),
            ("moments", {"paths": [str(text)]}, "has not been scored yet"),
            ("export", {"paths": [inside], "outputs": [str(tmp_path / "x.otio")]}, "outside"),
            ("export", {"paths": [inside], "outputs": [f"{inside}/x.doc"]}, "is unknown"),
            ("check", {"timeline": f"{inside}/bad.otio", "program": "resolve"}, ""),
            ("check", {"timeline": str(outside)}, "outside"),
            ("render", {"timeline": f"{inside}/bad.otio", "film": f"{inside}/x.mp4"}, "bad.otio"),
            ("render", {"timeline": f"{inside}/bad.otio", "film": "/x.mp4"}, "outside"),
            ("score", {"paths": [str(text)], "like": [str(outside)]}, "outside"),
            ("score", {"paths": [str(text)], "transcript": [f"{inside}/link.mp4"]}, "outside"),
            ("score", {"paths": [str(text)], "pin": ["soon"]}, "pin"),
            ("score", {"paths": [str(text)], "proxies": "maybe"}, "proxies"),
            ("moments", {"paths": [str(text)], "like": [str(outside)]}, "outside"),
            (
                "export",
                {"paths": [inside], "outputs": [f"{inside}/x.otio"], "rejects": "/x.otio"},
                "outside",
            ),
            (
                "render",
                {
                    "timeline": f"{inside}/good.otio",
                    "film": f"{inside}/x.mp4",
                    "music": str(outside),
                },
                "outside",
            ),
            (
                "render",
                {
                    "timeline": f"{inside}/good.otio",
                    "film": f"{inside}/x.mp4",
                    "captions": [f"{inside}/link.mp4"],
                },
                "outside",
            ),
            (
                "render",
                {"timeline": f"{inside}/good.otio", "film": f"{inside}/x.mp4", "font": "/x.ttf"},
                "font",
            ),
            ("find", {"words": "the", "paths": [inside]}, "nothing to look for"),
            ("find", {"words": "dog", "paths": [str(outside)]}, "outside"),
            ("match", {"film": str(outside), "footage": [inside]}, "outside"),
            (
                "match",
                {"film": str(text), "footage": [inside], "outputs": [str(tmp_path / "x.otio")]},
                "outside",
            ),
            ("learn", {"footage": [inside], "name": "x", "films": [str(outside)]}, "outside"),
            ("learn", {"footage": [inside], "name": "A B"}, "cannot be the name"),
            ("learn", {"footage": [inside], "name": "x", "cuts": [str(outside)]}, "outside"),
        ):
            failed, answer = await ask(tool, **arguments)
            assert failed, (tool, arguments, answer)
            assert words in answer, answer
            assert "Traceback" not in answer
        assert outside.read_bytes() == b"x"
        assert not (tmp_path / "x.otio").exists()

    talk(make_server([tmp_path / "in"], device="cpu"), conversation)


def test_export_reads_nothing_outside_the_roots(tmp_path: Path) -> None:
    """A document may name media outside, a bundle of rejects would bring it in; so would music."""
    root = tmp_path / "in"
    root.mkdir()
    secret = media_factory.make_video(tmp_path, name="secret.mp4", num_frames=150)
    document = make_document(
        path=str(secret), num_frames=150, identity=content_identity(secret), spans=[(1.0, 2.0)]
    ).to_json()
    document["unusable"] = [{"start_seconds": 3.0, "end_seconds": 4.0, "reason": "black"}]
    (root / "scores.json").write_text(json.dumps(document))

    async def conversation(ask: Ask) -> None:
        export = {"paths": [f"{root}/scores.json"], "outputs": [f"{root}/x.csv"]}
        failed, answer = await ask("export", **export, rejects=f"{root}/r.otioz")
        assert not failed, answer
        assert answer["files"] == [f"{root}/x.csv"]
        assert "secret.mp4 is outside the folders" in answer["problems"][0]
        for music in (str(secret), "song.wav", "~/song.wav", f"{tmp_path}/none.wav"):
            failed, answer = await ask("export", **export, music=music)
            assert failed, answer
            assert "outside the folders" in answer or "no whole path" in answer
        listed = sorted(path.name for path in root.iterdir())
        assert listed == ["scores.json", "x.csv"]

    talk(make_server([root], device="cpu"), conversation)


def test_names_no_system_takes_and_lengths_no_film_has_are_errors_in_words(tmp_path: Path) -> None:
    long = "a" * 300

    async def conversation(ask: Ask) -> None:
        for tool, arguments, words in (
            ("check", {"timeline": f"{tmp_path}/{long}.otio"}, "cannot look at"),
            ("moments", {"paths": [f"{tmp_path}/{long}.mp4"]}, "cannot look at"),
            ("export", {"paths": [str(tmp_path)], "outputs": [f"{tmp_path}/{long}.otio"]},
             "cannot write"),
            ("export", {"paths": [str(tmp_path)], "outputs": [], "start_timecode": "soon"},
             "start_timecode"),
            ("moments", {"paths": [str(tmp_path)], "marks": ""}, "--marks: '' is unknown"),
            ("render", {"timeline": f"{tmp_path}/x.otio", "film": f"{tmp_path}/x.mp4",
                        "crossfade": "1e999"}, "crossfade"),
        ):  # fmt: skip
            failed, answer = await ask(tool, **arguments)
            assert failed, answer
            assert words in answer, answer
            assert "bug" not in answer

    talk(make_server([tmp_path], device="cpu"), conversation)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_unicode_costs_nobody_the_answer(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4")).write_bytes(b"no video")

    async def conversation(ask: Ask) -> None:
        failed, answer = await ask("moments", paths=[str(tmp_path)])
        assert failed
        assert "caf\\udce9.mp4" in answer

    talk(make_server([tmp_path], device="cpu"), conversation)
