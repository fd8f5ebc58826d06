"""The scripts for DaVinci Resolve on both Lua engines, in a Resolve stricter than the real one."""

from __future__ import annotations

import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest
from document_factory import make_document
from edit_list_factory import ODD_NAME
from fake_resolve import FakeTimeline, Media, MediaPoolItem, World, lua_object
from hypothesis import given, settings
from hypothesis import strategies as st
from media_factory import AudioTrack, click_track, make_video, shots
from resolve_desk import (
    ENGINES,
    NTSC,
    PLACES_30,
    PLUGIN,
    ROOT,
    SPANS,
    Desk,
    add_clip,
    custom_data,
    make_program,
    posix,
    prepare,
    ready_clip,
)

from hlcli.plugins.manifest import find_plugin
from hlcli.timeline.build import Layout
from hlcli.timeline.resolve_records import HEADER, Record, parse_records, record, records_text


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> ModuleType:
    return ENGINES[request.param]


@pytest.fixture(params=[None, "menu"], ids=["all-of-lua", "sandbox"])
def desk(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    engine: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Desk]:
    """A desk with each Lua, in an edition that lets scripts do all, and in the free edition."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    made = Desk(tmp_path, engine, World(media={}, build=request.param))
    yield made
    if made.companion is not None:
        made.companion.__exit__()


IDS = [f"hl:aaaaaaaaaaaa-{frames}" for frames in ("60-120", "300-375", "600-630")]


# The scripts themselves


def lua_files() -> list[Path]:
    return sorted(PLUGIN.rglob("*.lua"))


def test_every_script_loads_on_both_engines(engine: ModuleType) -> None:
    load = engine.LuaRuntime().eval(
        "function(path) local f, e = loadfile(path) return e or 'ok' end"
    )
    assert [load(str(path)) for path in lua_files()] == ["ok"] * 14


def test_the_menu_entries_differ_in_their_first_line_and_their_action_alone() -> None:
    entries = ["highlights", "mark_only", "send_cut"]
    texts = [(PLUGIN / f"{name}.lua").read_text(encoding="ascii") for name in entries]
    bodies = {re.sub(r"\A.*\n|MAILBOX, \"\w+\"\)", "", text) for text in texts}
    assert len(bodies) == 1


def test_what_no_edition_may_be_asked_for_is_not_used() -> None:
    for path in lua_files():
        code = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))
        assert not re.search(r"io\.popen|loadstring|:Execute\(|scriptlib|[^.:\w]Fusion\(", code)
        # A window of a script was for Studio only in some versions: asked for when nothing else is.
        assert ("UIManager" in code) is (path.name == "window.lua")


def test_every_part_is_installed() -> None:
    plugin = find_plugin("resolve", ROOT / "plugins")
    assert {part for file in plugin.files for part in (file.source, *file.parts)} >= set(
        lua_files()
    )
    targets = {file.target.as_posix() for file in plugin.files}
    assert {one for one in targets if one.startswith("Scripts/")} == {
        "Scripts/Utility/hl Highlights.lua",
        "Scripts/Utility/hl Mark Only.lua",
        "Scripts/Utility/hl Send Cut.lua",
        "Scripts/Utility/hl Highlights for Studio.py",
    }


# Highlights


@posix
def test_clip_becomes_a_timeline_with_markers(desk: Desk) -> None:
    ready_clip(desk)
    last = desk.press("hl Highlights")
    timeline = desk.world.timeline("match highlights")
    assert timeline.places("video") == timeline.places("audio") == PLACES_30
    assert desk.world.current is timeline
    assert last == "hl: 3 highlights on the timeline match highlights"
    # FCPXML, which loses the markers: they are set again, at the best frame of each moment.
    assert desk.world.calls.count("ImportTimelineFromFile") == 1
    assert custom_data(timeline.markers) == dict(zip([30.0, 98.0, 150.0], IDS, strict=True))
    assert all(
        mark["color"] in ("Green", "Cyan", "Yellow", "Sand") for mark in timeline.markers.values()
    )
    assert desk.world.modal is None


@posix
@pytest.mark.parametrize("way", ["asked for", "fcpxml is refused"])
def test_opentimelineio_keeps_the_markers_on_the_clips(desk: Desk, way: str) -> None:
    ready_clip(desk)
    if way == "asked for":
        desk.options("import otio")
    else:
        desk.world.refused_kinds = (".fcpxml",)
    desk.press("hl Highlights")
    timeline = desk.world.timeline("match highlights")
    assert timeline.places("video") == timeline.places("audio") == PLACES_30
    # One marker for each moment, on its clip, with what the import drops.
    assert timeline.markers == {}
    marks = [marker for item in timeline.tracks["video"][0] for marker in item.markers.values()]
    assert [mark["customData"] for mark in marks] == IDS
    assert (
        "hl: Resolve did not import the timeline, and does not say why: hl tries timeline.otio"
        in desk.lines
    ) is (way == "fcpxml is refused")


@posix
def test_timecode_of_the_media_is_no_part_of_the_places(desk: Desk) -> None:
    path = add_clip(desk, rate=NTSC, start_frame=107892)
    desk.world.rate_setting = "29.97 DF"
    prepare(
        desk,
        make_document(
            path=path,
            num_frames=900,
            frame_rate=NTSC,
            start_timecode="01:00:00;00",
            spans=[(1.001, 2.002)],
        ),
    )
    for refuses in (False, True):
        desk.world.refuses_import = refuses
        desk.press("hl Highlights")
        assert desk.world.timelines[-1].places("video") == [(0, 30, 30)]
    assert [one.name for one in desk.world.timelines] == ["match highlights", "match highlights 2"]
    assert [one.start for one in desk.world.timelines] == [0, 108000]


@posix
@pytest.mark.parametrize(
    ("version", "exclusive"), [((21, 1), True), ((18, 6), False), ((21, 1), False), ((18, 6), True)]
)
def test_refused_import_is_built_from_the_clips(
    desk: Desk, version: tuple[int, ...], exclusive: bool
) -> None:
    ready_clip(desk)
    desk.world.version, desk.world.exclusive_ends = version, exclusive
    desk.world.refuses_import = True
    desk.press("hl Highlights")
    (timeline,) = desk.world.timelines
    assert timeline.places("video") == timeline.places("audio") == PLACES_30
    assert timeline.start == 108000
    refused = "hl: Resolve did not import the timeline, and does not say why: hl "
    assert [line for line in desk.lines if line.startswith(refused)] == [
        f"{refused}tries timeline.otio",
        f"{refused}builds the timeline itself",
    ]
    # On the timeline itself, whose frames count from 0.
    assert list(custom_data(timeline.markers).values()) == IDS
    assert all(0 <= frame < 165 for frame in timeline.markers)
    picture, sound = timeline.tracks["video"][0][0], timeline.tracks["audio"][0][0]
    assert picture.links == [sound]


def shift(timeline: FakeTimeline) -> None:
    timeline.tracks["video"][0][1].start += 1


def lose_sound(timeline: FakeTimeline) -> None:
    timeline.tracks["audio"] = []


def lose_media(timeline: FakeTimeline) -> None:
    timeline.tracks["video"][0][2].source = None


def shorten(timeline: FakeTimeline) -> None:
    timeline.tracks["video"][0][0].length -= 1


@posix
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shift, "video item 2 of track 1 begins at frame 301 of its file, not 300"),
        (lose_sound, "audio item 1 of track 1 is missing; "),
        (lose_media, "video item 3 of track 1 is offline"),
        (shorten, "video item 1 of track 1 is 59 frames long, not 60"),
    ],
)
def test_what_came_in_is_compared_item_by_item(
    desk: Desk, damage: Callable[[FakeTimeline], None], said: str
) -> None:
    ready_clip(desk)
    desk.world.damages_import = damage
    desk.press("hl Highlights")
    # The wrong one is gone, the right one has its name.
    (timeline,) = desk.world.timelines
    assert timeline.name == "match highlights"
    assert timeline.places("video") == timeline.places("audio") == PLACES_30
    lines = [line for line in desk.lines if "imported something else" in line]
    assert len(lines) == 2
    assert said in lines[0]
    assert "hl tries timeline.otio" in lines[0]
    assert said in lines[1]
    assert "hl builds the timeline itself" in lines[1]


@posix
def test_two_files_of_two_rates(desk: Desk) -> None:
    first = add_clip(desk, "a.mp4")
    second = add_clip(desk, "b.mp4", rate=Fraction(24), num_frames=480)
    documents = (
        make_document(path=first, num_frames=900, spans=[(2.0, 4.0)]),
        make_document(
            path=second, num_frames=480, frame_rate=Fraction(24), identity="c" * 64,
            spans=[(1.0, 3.0)],
        ),
    )  # fmt: skip
    prepare(desk, *documents)
    for refuses in (False, True):
        desk.world.refuses_import = refuses
        desk.press("hl Highlights")
        assert desk.world.timelines[-1].places("video") == [(0, 60, 60), (60, 24, 60)]
    assert "hl: looking at 2 files" in desk.lines


@posix
def test_request_has_the_clips_the_rate_of_the_project_and_the_options(desk: Desk) -> None:
    path = ready_clip(desk)
    desk.world.rate_setting = "29.97 DF"
    desk.options("# how much", "target-duration  90s", "top 5", "wait_minutes 3", "")
    desk.press("hl Highlights")
    (job,) = desk.jobs
    assert parse_records((job / "request.txt").read_text(encoding="utf-8")) == [
        record(
            "job",
            frame_rate="29.97 DF",
            kind="highlights",
            name=f"{Path(ODD_NAME).stem} highlights",
        ),
        record("file", path=path),
        record("option", name="target_duration", value="90s"),
        record("option", name="top", value="5"),
    ]
    assert (job / "starts").read_text() == "resolve-job\n"


@posix
def test_building_without_import(desk: Desk) -> None:
    ready_clip(desk)
    desk.options("import no")
    desk.press("hl Highlights")
    assert "ImportTimelineFromFile" not in desk.world.calls
    (timeline,) = desk.world.timelines
    assert timeline.places("video") == timeline.places("audio") == PLACES_30


@posix
def test_project_of_another_rate_than_the_plan_is_not_filled_with_wrong_cuts(desk: Desk) -> None:
    ready_clip(desk)
    desk.world.rate_setting = "25"
    desk.press("hl Highlights")
    # The import takes the project's rate; the timeline that is built gets the plan's.
    (timeline,) = desk.world.timelines
    assert timeline.rate == 30
    assert timeline.places("video") == PLACES_30
    assert any("it runs at 25 frames a second, not at 30" in line for line in desk.lines)


@posix
def test_clip_under_the_playhead_when_none_is_selected(desk: Desk) -> None:
    path = ready_clip(desk)
    desk.press("hl Highlights")
    desk.world.selected.clear()
    for has_call in (True, False):  # Resolve before 19 cannot say what is selected.
        desk.world.has_selection_call = has_call
        desk.press("hl Highlights")
    assert len(desk.world.timelines) == 3
    (job,) = desk.jobs
    assert record("file", path=path) in parse_records((job / "request.txt").read_text("utf-8"))


@posix
def test_what_has_no_file_is_left_out(desk: Desk) -> None:
    ready_clip(desk)
    desk.world.selected.insert(0, MediaPoolItem(desk.world, None))
    desk.press("hl Highlights")
    assert desk.lines[0] == (
        "hl: 1 of the selected clips have no file of their own and are left out"
    )
    assert desk.lines[1] == "hl: looking at 1 file"


@posix
def test_file_that_went_away_while_hl_worked(desk: Desk) -> None:
    path = ready_clip(desk)
    Path(path).unlink()
    assert desk.press("hl Highlights") == f"hl: the file is gone: {path}"
    assert desk.world.timelines == []


@posix
def test_neither_way_works(desk: Desk) -> None:
    path = ready_clip(desk)
    desk.world.refuses_import = True
    desk.world.media[path] = Media(rate=Fraction(30), num_frames=310)  # it became shorter
    last = desk.press("hl Highlights")
    assert last.startswith("hl: the timeline could not be made: ")
    file = desk.folder / "ready" / "timeline.fcpxml"
    assert last.endswith(f"Its file is {file}: try File > Import > Timeline...")
    assert desk.world.timelines == []


def break_nothing(world: World) -> None:
    pass


def open_dialog(world: World) -> None:
    world.modal = "TranscribeAudio"


def never_save(world: World) -> None:
    world.project_name = "Untitled Project"


@posix
@pytest.mark.parametrize(
    ("prepare_world", "line"),
    [
        (break_nothing, "hl: select a clip in the media pool, or put the playhead on one, and "
                        "start this again"),
        (open_dialog, "hl: Resolve does not answer: close the dialog that is open"),
        (never_save, "hl: save the project under a name first (File > Save Project)"),
    ],
)  # fmt: skip
def test_what_stops_a_script_at_once(
    desk: Desk, prepare_world: Callable[[World], None], line: str
) -> None:
    make_program(desk, "")
    prepare_world(desk.world)
    assert desk.press("hl Highlights") == line
    assert desk.press("hl Mark Only") == line
    assert desk.jobs == []


@posix
def test_script_outside_resolve(desk: Desk) -> None:
    make_program(desk, "")
    lua = desk.engine.LuaRuntime()
    lines: list[str] = []
    lua.globals().print = lines.append
    lua.globals().dofile(str(desk.fusion / "Scripts/Utility/hl Highlights.lua"))
    assert lines == ["hl: start this from Resolve: Workspace > Scripts"]


# Jobs


@posix
@pytest.mark.parametrize("ends_first", [False, True])
def test_running_job_is_found_again(desk: Desk, ends_first: bool) -> None:
    path = add_clip(desk)
    prepare(desk, make_document(path=path, num_frames=900, spans=SPANS))
    gate, ready = desk.folder / "go", desk.folder / "ready" / "plan.txt"
    make_program(
        desk,
        "status(state='running', stage='looking', done=30, total=120, file='/x/match.mp4')\n"
        f"while not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.05)\n"
        f"shutil.copy({str(ready)!r}, folder)\n"
        "status(state='done')\n",
    )
    desk.options("wait_minutes 0.01")
    assert desk.press("hl Highlights") == (
        "hl: hl is still at work, in the background. Start the script again later: it goes on "
        "from there"
    )
    (job,) = desk.jobs
    while not (job / "status.txt").exists():
        time.sleep(0.05)
    if ends_first:
        gate.touch()
        while "state=done" not in (job / "status.txt").read_text(encoding="utf-8"):
            time.sleep(0.05)
    desk.options("wait_minutes 5")
    last = desk.press("hl Highlights", while_waiting=gate.touch)
    assert last == "hl: 3 highlights on the timeline match highlights"
    # Found by its folder, started once.
    assert (job / "starts").read_text() == "resolve-job\n"
    assert ("hl: hl has finished this in the meantime" in desk.lines) is ends_first
    assert ("hl: hl is at work on this already" in desk.lines) is not ends_first
    assert "hl: match.mp4: looking 25%" in desk.lines or ends_first


@posix
def test_job_that_died_is_started_again(desk: Desk) -> None:
    ready_clip(desk)
    desk.press("hl Highlights")
    (job,) = desk.jobs
    old = records_text([record("status", state="running", time=int(time.time()) - 300)])
    (job / "status.txt").write_text(old, encoding="utf-8")
    assert desk.press("hl Highlights") == "hl: 3 highlights on the timeline match highlights 2"
    assert (job / "starts").read_text() == "resolve-job\n" * 2


@posix
def test_words_of_a_failed_job_reach_the_user(desk: Desk) -> None:
    add_clip(desk)
    make_program(
        desk, "status(state='failed', message='a.mp4 is not a video', hint='choose another')\n"
    )
    assert desk.press("hl Highlights") == "hl: a.mp4 is not a video. choose another"


@posix
def test_program_that_is_not_there(desk: Desk) -> None:
    add_clip(desk)
    desk.install(desk.folder / "gone" / "hl")
    assert desk.press("hl Highlights") == (
        f"hl: hl is not where it was ({desk.folder / 'gone' / 'hl'}): "
        "run `hl plugins install resolve` again"
        if desk.world.build is None
        else "hl: hl cannot be started: No such file or directory"
    )


@posix
@pytest.mark.parametrize(
    ("plan", "line"),
    [
        ("", "it is of another version of hl"),
        ("hl-resolve\t2\nend\n", "it is of another version of hl"),
        (f"{HEADER}\ntimeline\tname=x\n", "its end is missing"),
        (f"{HEADER}\ntimeline\tname=\\q\nend\n", "line 2 is damaged"),
        (f"{HEADER}\nend\n", "a value is missing"),
    ],
)
def test_damaged_plan_is_refused_in_words(desk: Desk, plan: str, line: str) -> None:
    add_clip(desk)
    make_program(desk, f"(folder / 'plan.txt').write_text({plan!r})\nstatus(state='done')\n")
    assert desk.press("hl Highlights") == f"hl: the plan of hl cannot be read: {line}"
    assert desk.world.timelines == []


@posix
def test_options_that_cannot_be_read(desk: Desk) -> None:
    ready_clip(desk)
    desk.options("top")
    assert desk.press("hl Highlights") == ('hl: options.txt: cannot read "top"; write it as: top 5')


# Mark only


@posix
def test_marks_on_the_clip_replace_those_of_before_and_no_others(desk: Desk) -> None:
    path = add_clip(desk)
    document = make_document(path=path, num_frames=900, spans=SPANS)
    prepare(desk, document, layout=Layout(markers_only=True), is_cut=False)
    item = desk.world.selected[0]
    item.AddMarker(60, "Red", "mine", "keep this", 1, "")
    item.AddMarker(500, "Blue", "old", "", 1, "hl:aaaaaaaaaaaa-500-520")
    for _ in range(2):
        assert desk.press("hl Mark Only") == "hl: 3 markers on 1 clip"
        assert custom_data(item.markers) == {
            60.0: "",
            61.0: "hl:aaaaaaaaaaaa-60-120",  # frame 60 is taken
            300.0: "hl:aaaaaaaaaaaa-300-375",
            600.0: "hl:aaaaaaaaaaaa-600-630",
        }
    assert item.markers[300.0]["duration"] == 75.0
    assert item.markers[300.0]["note"].startswith("score 0.")
    assert desk.world.timelines == []


# Send cut


@posix
def test_cut_is_exported_and_the_command_is_said(desk: Desk) -> None:
    path = ready_clip(desk)
    desk.press("hl Highlights")
    last = desk.press("hl Send Cut")
    cut = desk.folder / "home" / "hl cuts" / "match highlights.otio"
    assert cut.is_file()
    quoted = "'" + path.replace("'", "'\\''") + "'"
    program = str(desk.folder / "it's hl").replace("'", "'\\''")
    assert desk.lines[-2] == (f"'{program}' 'finetune' {quoted} --name my-style --from-cut '{cut}'")
    assert last.startswith("hl: or put the line `learn_as my-style` into options.txt")


@posix
def test_cut_is_learned_on_request(desk: Desk) -> None:
    path = ready_clip(desk)
    desk.press("hl Highlights")
    desk.options("learn_as weddings", f"cut_folder {desk.folder / 'my cuts'}")
    assert desk.press("hl Send Cut") == (
        "hl: learned; to use it, put the line `model weddings` into options.txt"
    )
    requests = [parse_records((job / "request.txt").read_text("utf-8")) for job in desk.jobs]
    cut = str(desk.folder / "my cuts" / "match highlights.otio")
    assert [
        record("job", cut=cut, kind="finetune", name="weddings"),
        record("file", path=path),
    ] in requests


# The text between hl and the scripts

WORDS = st.from_regex(r"[a-z][a-z_0-9]{0,8}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@given(st.lists(st.builds(Record, WORDS, st.dictionaries(WORDS, TEXT, max_size=4)), max_size=5))
@settings(max_examples=60, deadline=None)
def test_records_come_back_whole_in_python_and_in_lua(records: list[Record]) -> None:
    text = records_text(records)
    assert parse_records(text) == records
    for engine in ENGINES.values():
        lua = engine.LuaRuntime()
        rewrite = lua.eval("""function(path, text)
          local records = dofile(path)
          return records.text(assert(records.parse(text)))
        end""")
        again = rewrite(str(PLUGIN / "lib" / "records.lua"), text)
        assert parse_records(again) == records


@pytest.mark.parametrize(
    "text",
    ["", "end\n", f"{HEADER}\n", f"{HEADER}\nend", f"{HEADER}\na\tb\nend\n",
     f"{HEADER}\na\tb=1\tb=2\nend\n", f"{HEADER}\nA\nend\n", f"{HEADER}\na\tb=\\\nend\n",
     f"{HEADER}\n\nend\n", "hl-resolve\t2\nend\n"],
)  # fmt: skip
def test_damaged_records_are_refused_by_both(engine: ModuleType, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_records(text)
    refused = engine.LuaRuntime().eval(
        "function(path, text) return dofile(path).parse(text) == nil end"
    )
    assert refused(str(PLUGIN / "lib" / "records.lua"), text) is True


# The fake is strict


def test_call_of_studio_ends_all_answers_in_the_free_edition() -> None:
    world = World(media={})
    assert world.resolve.GetProductName() == "DaVinci Resolve"
    folder = world.resolve.GetProjectManager().GetCurrentProject().GetMediaPool().GetRootFolder()
    assert folder.TranscribeAudio() is False
    assert world.modal == "TranscribeAudio"
    assert world.resolve.GetProductName() is None


def test_calls_that_do_not_exist_and_wrong_colons_are_noted(engine: ModuleType) -> None:
    world = World(media={})
    assert hasattr(world.resolve, "NoSuchCall")
    with pytest.raises(TypeError):
        world.resolve.NoSuchCall()
    lua = engine.LuaRuntime()
    lua.globals().resolve = lua_object(lua, world)
    lua.execute("pcall(function() resolve.GetProductName() end)")
    assert world.violations == [
        "Resolve has no NoSuchCall",
        "GetProductName was called without a colon",
    ]


# The real program


@posix
def test_real_hl_scores_and_resolve_gets_what_it_found(desk: Desk) -> None:
    made = make_video(
        desk.folder,
        name="match.mp4",
        num_frames=240,
        paint=shots(90, 150),
        audio=(AudioTrack(click_track(8.0, (4.0, 4.5, 5.0))),),
    )
    folder = desk.folder / "footage"
    folder.mkdir()
    path = folder / ODD_NAME.replace("#", "").replace("%", "")
    made.rename(path)
    desk.world.media[str(path)] = Media(rate=Fraction(30), num_frames=240)
    desk.world.selected.append(desk.world.add_media(str(path)))
    program = desk.folder / "hl"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m hlcli \"$@\"\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    desk.install(program)
    desk.options("top 2", "max_duration 3s", "device cpu")

    last = desk.press("hl Highlights", wait_seconds=0.5)
    (timeline,) = desk.world.timelines
    # Imported, not built: what hl writes passes the rules of the import and the comparison.
    assert not [line for line in desk.lines if "builds" in line or "warning" in line]
    assert last == f"hl: 2 highlights on the timeline {path.stem} highlights"
    (job,) = desk.jobs
    plan = parse_records((job / "plan.txt").read_text(encoding="utf-8"))
    wanted = [
        (int(one.fields["at"]), int(one.fields["start"]), int(one.fields["length"]))
        for one in plan
        if one.kind == "item" and one.fields["type"] == "video"
    ]
    assert len(wanted) == 2
    assert timeline.places("video") == timeline.places("audio") == wanted

    # The scores are stored: now the marks of the same moments are there in no time.
    assert desk.press("hl Mark Only", wait_seconds=0.5) == "hl: 2 markers on 1 clip"
    ids = [marker["customData"] for marker in desk.world.selected[0].markers.values()]
    assert sorted(ids) == sorted(custom_data(timeline.markers).values())
    assert all(re.fullmatch(r"hl:[0-9a-f]{12}-\d+-\d+", one) for one in ids)
