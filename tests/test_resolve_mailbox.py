"""Resolve's free edition from 21.1 on: scripts without files and programs, and `hl resolve`."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest
from edit_list_factory import ODD_NAME
from fake_resolve import BUILDS, Media, World
from hypothesis import given
from hypothesis import strategies as st
from media_factory import AudioTrack, click_track, make_video, shots
from resolve_desk import (
    ENGINES,
    PLACES_30,
    ROOT,
    Desk,
    add_clip,
    custom_data,
    make_program,
    posix,
    ready_clip,
)

from hlcli.cli.resolve_companion import Companion
from hlcli.plugins.baking import lua_string
from hlcli.plugins.mailbox import Message, lua_name, lua_value, mailbox_dir, read_message
from hlcli.plugins.manifest import find_plugin
from hlcli.plugins.system import System
from hlcli.plugins.wanted import file_content, wanted_files
from hlcli.timeline.resolve_records import parse_records, record, records_text

pytestmark = posix
START = "hl: start `hl resolve` in a terminal, leave it open, and choose this entry again"
BY_HAND = (
    ". By hand: `hl export VIDEO -o cut.fcpxml --for resolve` in a terminal, "
    "then File > Import > Timeline... here"
)
ENTRIES = ("hl Highlights", "hl Mark Only", "hl Send Cut")
JOB = "0123456789abcdef"


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> ModuleType:
    return ENGINES[request.param]


@pytest.fixture
def desk(tmp_path: Path, engine: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """The free edition, with `hl resolve` running as soon as something is installed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    made = Desk(tmp_path, engine, World(media={}, build="menu"))
    yield made
    stop(made)


def stop(desk: Desk) -> None:
    if desk.companion is not None:
        desk.companion.__exit__()
        desk.companion = None


def change_constant(desk: Desk, name: str, value: int) -> None:
    """Make a script wait less."""
    for path in (desk.fusion / "Scripts" / "Utility").glob("*.lua"):
        lines = path.read_text(encoding="utf-8").splitlines()
        (at,) = [i for i, line in enumerate(lines) if line.startswith(f"local {name} = ")]
        lines[at] = f"local {name} = {value}"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


# The road


@pytest.mark.parametrize("build", BUILDS)
def test_every_script_works_in_every_sandbox(desk: Desk, build: str) -> None:
    desk.world.build = build
    ready_clip(desk)
    assert desk.press("hl Highlights") == "hl: 3 highlights on the timeline match highlights"
    assert desk.world.timeline("match highlights").places("video") == PLACES_30
    assert desk.press("hl Mark Only") == "hl: 3 markers on 1 clip"
    assert len(custom_data(desk.world.selected[0].markers)) == 3
    assert desk.press("hl Send Cut").startswith("hl: or put the line `learn_as my-style`")
    assert (desk.folder / "home" / "hl cuts" / "match highlights.otio").is_file()
    # Print shows nothing, so that the terminal has all of it; nothing is left in the project.
    assert desk.terminal[0] == f"at work for Resolve: {ODD_NAME}"
    assert desk.bins == desk.world.windows == desk.errors == []
    # Once to ask, once to say how it went; never while waiting.
    assert desk.world.num_saves == 6


def test_two_cuts_of_one_name_are_told_apart(desk: Desk) -> None:
    ready_clip(desk)
    desk.press("hl Highlights")
    folder = desk.folder / "home" / "hl cuts"
    for name in ("match highlights.otio", "match highlights 2.otio"):
        desk.press("hl Send Cut")
        assert (folder / name).is_file()


def test_names_in_letters_of_all_kinds(desk: Desk) -> None:
    path = ready_clip(desk, "M\u00fcller \u65e5\u672c \U0001f3ac.mov")
    desk.world.project_name = "\u041f\u0440\u043e\u0435\u043a\u0442 \U0001f490"
    desk.press("hl Highlights")
    desk.world.timelines[0].name = "Schnitt \u00e4 \u65e5\u672c: 1/2"
    desk.press("hl Send Cut")
    assert (desk.folder / "home" / "hl cuts" / "Schnitt \u00e4 \u65e5\u672c_ 1_2.otio").is_file()
    assert path in desk.lines[-2]
    (job,) = desk.jobs
    assert record("file", path=path) in parse_records((job / "request.txt").read_text("utf-8"))
    assert desk.world.prefs is not None
    assert desk.world.prefs.read_bytes().decode("cp1252").count("caf\u00e9") == 1


def test_what_hl_found_is_asked_for_again_after_it_was_taken(desk: Desk) -> None:
    ready_clip(desk)
    for _ in range(2):
        desk.press("hl Highlights")
    (job,) = desk.jobs
    assert (job / "starts").read_text() == "resolve-job\n" * 2
    assert not (job / "status.txt").exists()
    assert not (job / "status.lua").exists()


def wait_for_go(desk: Desk) -> None:
    """Let the program that stands for `hl` wait for a file `go`: it may be quicker than a press."""
    script = desk.folder / "program.py"
    text = script.read_text(encoding="utf-8")
    waiting = "while not pathlib.Path(__file__).with_name('go').exists():\n    time.sleep(0.01)\n"
    script.write_text(text.replace("def status", f"{waiting}def status", 1), encoding="utf-8")


def test_result_that_no_script_took_is_found_after_hl_resolve_was_started_again(
    desk: Desk,
) -> None:
    ready_clip(desk)
    wait_for_go(desk)
    desk.options("wait_minutes 0")
    desk.press("hl Highlights")
    (desk.folder / "go").touch()
    assert desk.bins == [
        "hl: hl is still at work, in the background. Start the script again later: it goes on "
        "from there"
    ]
    while "finished" not in desk.terminal:
        time.sleep(0.05)
        desk.companion.step()  # type: ignore[union-attr]
    program = desk.folder / "it's hl"
    stop(desk)
    desk.start_companion(program)
    assert desk.press("hl Highlights") == "hl: 3 highlights on the timeline match highlights"
    assert "hl: hl has finished this in the meantime" in desk.lines
    (job,) = desk.jobs
    assert (job / "starts").read_text() == "resolve-job\n"


def test_words_of_the_studio_edition_are_printed_and_no_window_comes_up(desk: Desk) -> None:
    desk.world.build, desk.world.has_windows = None, True
    make_program(desk, "")
    assert desk.press("hl Highlights").startswith("hl: select a clip")
    assert desk.world.windows == desk.bins == []
    assert desk.world.num_saves == 0


def test_preferences_are_reached_through_resolve_too(desk: Desk) -> None:
    ready_clip(desk)
    script = desk.fusion / "Scripts" / "Utility" / "hl Highlights.lua"
    moved = """
      local kept, given = fusion, resolve
      fusion = nil
      resolve = setmetatable({ Fusion = function() return kept end }, { __index = function(_, name)
        return function(_, ...) return given[name](given, ...) end
      end })
    """
    script.write_text(f"{moved}\n{script.read_text(encoding='utf-8')}", encoding="utf-8")
    assert desk.press("hl Highlights") == "hl: 3 highlights on the timeline match highlights"


# The road is closed


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("entry", ENTRIES)
def test_without_hl_resolve_every_script_says_so_in_a_window(
    desk: Desk, build: str, entry: str
) -> None:
    desk.world.build, desk.world.has_windows = build, True
    ready_clip(desk)
    stop(desk)
    desk.press(entry)
    assert desk.world.windows == [START.removeprefix("hl: ") + BY_HAND]
    assert desk.bins == []
    # Nothing is written where nobody reads it.
    assert desk.world.num_saves == 0


def test_without_windows_a_dialog_of_fusion_says_it(desk: Desk) -> None:
    desk.world.has_dialogs = True
    ready_clip(desk)
    stop(desk)
    desk.press("hl Highlights")
    assert desk.world.windows == [START.removeprefix("hl: ") + BY_HAND]
    assert desk.bins == []


def test_without_windows_and_dialogs_a_bin_says_it_until_the_next_press(desk: Desk) -> None:
    ready_clip(desk)
    stop(desk)
    for _ in range(2):
        desk.press("hl Highlights")
        assert desk.bins == [START + BY_HAND]
    desk.start_companion(desk.folder / "it's hl")
    desk.press("hl Highlights")
    assert desk.bins == []
    assert len(desk.world.timelines) == 1


def test_bin_of_that_name_with_something_in_it_stays(desk: Desk) -> None:
    ready_clip(desk)
    root = desk.world.root
    pool = desk.world.resolve.GetProjectManager().GetCurrentProject().GetMediaPool()
    kept = pool.AddSubFolder(pool.GetRootFolder(), "hl: mine")
    pool.AddSubFolder(kept, "inner")
    pool.AddSubFolder(pool.GetRootFolder(), "holiday")
    desk.press("hl Highlights")
    assert [folder.name for folder in root.folders] == ["hl: mine", "holiday"]


def test_without_a_project_the_last_word_is_an_error(desk: Desk) -> None:
    ready_clip(desk)
    desk.world.modal = "TranscribeAudio"
    stop(desk)
    assert desk.press("hl Highlights") == (
        "hl: Resolve does not answer: close the dialog that is open"
    )
    assert desk.bins == []


def test_project_that_was_never_saved_is_said_in_a_bin(desk: Desk) -> None:
    ready_clip(desk)
    desk.world.project_name = "Untitled Project 3"
    desk.press("hl Highlights")
    assert desk.bins == ["hl: save the project under a name first (File > Save Project)"]


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ("loadfile = nil", "loadfile"),
        ("fusion = nil", "SavePrefs"),
        ("bmd.wait = nil", "bmd.wait"),
        ("bmd = nil", "bmd.wait"),
    ],
)
def test_way_that_is_gone_is_named(desk: Desk, gone: str, named: str) -> None:
    ready_clip(desk)
    script = desk.fusion / "Scripts" / "Utility" / "hl Highlights.lua"
    script.write_text(f"{gone}\n{script.read_text(encoding='utf-8')}", encoding="utf-8")
    desk.press("hl Highlights")
    assert desk.bins == [
        f"hl: this edition of Resolve gives scripts no way to hl ({named} is gone){BY_HAND}"
    ]


def test_preferences_that_are_not_saved(desk: Desk) -> None:
    ready_clip(desk)
    change_constant(desk, "ANSWER_SECONDS", 0)
    desk.world.prefs = None
    desk.press("hl Highlights")
    assert desk.bins == [
        "hl: `hl resolve` runs, but nothing that this script writes reaches it. Is Fusion.prefs in "
        f"/profile/ read-only? Name that file to it: hl resolve --prefs FILE{BY_HAND}"
    ]
    assert desk.world.timelines == []


def test_hl_resolve_of_another_version(desk: Desk) -> None:
    ready_clip(desk)
    stop(desk)
    (desk.mailbox / "companion.lua").write_text(
        f"return {{ protocol = 2, time = {int(time.time())} }}\n"
    )
    desk.press("hl Highlights")
    assert desk.bins[0].startswith("hl: this script and `hl resolve` are of two versions: run `hl ")


@pytest.mark.parametrize(
    "left",
    ["return { protocol = 1, time = 7 }", "return { protocol = 1 }", "return 1", "", "return {",
     "return os.exit()", "while"],
)  # fmt: skip
def test_what_a_killed_hl_resolve_left_is_not_taken_for_a_running_one(
    desk: Desk, left: str
) -> None:
    ready_clip(desk)
    stop(desk)
    (desk.mailbox / "companion.lua").write_text(left)
    desk.press("hl Highlights")
    assert desk.bins == [START + BY_HAND]
    assert desk.world.num_saves == 0


def test_hl_resolve_that_is_killed_in_the_middle(desk: Desk) -> None:
    add_clip(desk)
    make_program(desk, "status(state='running', stage='looking')\ntime.sleep(60)\n")
    change_constant(desk, "SILENT_SECONDS", 1)
    killed = desk.companion
    assert killed is not None

    def kill() -> None:
        if list(desk.mailbox.glob("*/status.lua")):
            desk.companion = None  # It never looks again; the job's last word is old.

    desk.press("hl Highlights", while_waiting=kill, wait_seconds=0.5)
    killed.__exit__()
    assert desk.bins == [
        "hl: hl has stopped without a word while looking. Start the script again to go on"
    ]


def test_job_that_is_killed_says_so_at_once(desk: Desk) -> None:
    add_clip(desk)
    make_program(
        desk,
        "import os, signal\nstatus(state='running')\nprint('half way', flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n",
    )
    said = "hl: hl ended in the middle (exit code -9): half way. run `hl doctor` in a terminal"
    assert desk.press("hl Highlights") == said
    assert desk.bins == [said]


def test_hl_resolve_stops_its_jobs_when_it_ends(desk: Desk) -> None:
    add_clip(desk)
    make_program(desk, "status(state='running')\ntime.sleep(60)\n")
    desk.options("wait_minutes 0")
    desk.press("hl Highlights")
    companion = desk.companion
    assert companion is not None
    (job,) = desk.jobs
    while not (job / "status.txt").exists():
        time.sleep(0.02)
    stop(desk)
    assert "hl ended in the middle" in (job / "status.lua").read_text()
    assert not (desk.mailbox / "companion.lua").exists()


def test_too_many_clips_for_one_request(desk: Desk) -> None:
    for number in range(1200):
        add_clip(desk, f"{'long name ' * 15}{number}.mp4")
    make_program(desk, "")
    desk.press("hl Mark Only")
    assert desk.bins == ["hl: these are too many clips for one request: select fewer"]


def test_texts_in_the_mailbox_can_call_nothing(desk: Desk) -> None:
    """What lies there is loaded as a program: it gets no functions."""
    add_clip(desk)
    make_program(desk, "time.sleep(60)\n")
    change_constant(desk, "START_SECONDS", 0)
    done = records_text([record("status", state="done", time=int(time.time()))])

    def meddle() -> None:
        for job in desk.jobs:
            text = f"print('called')\n{lua_value(done.encode())}"
            (job / "status.lua").write_text(text)

    assert desk.press("hl Highlights", while_waiting=meddle).startswith("hl: hl did not start")


# The other end


def companion(folder: Path, *prefs: Path, lines: list[str] | None = None) -> Companion:
    return Companion(
        folder / "box",
        find_prefs=lambda: prefs,
        command=["false"],
        say=(lines if lines is not None else []).append,
        documents=folder / "cuts",
    )


def message(name: str, content: bytes, *, job: str = "-", sent: int | None = None) -> bytes:
    sent = int(time.time()) if sent is None else sent
    coded = base64.b64encode(content).decode()
    return f'\tHlResolveMessage = "{sent}-{name}:{job}:{coded}",\n'.encode()


def spoken(text: str) -> bytes:
    return records_text([record("said", text=text)]).encode()


def test_messages_of_two_resolves_are_both_heard(tmp_path: Path) -> None:
    first, second = tmp_path / "a.prefs", tmp_path / "b.prefs"
    first.write_bytes(message("a", spoken("hl: one")))
    second.write_bytes(message("b", spoken("hl: two\nhl: three")))
    lines: list[str] = []
    with companion(tmp_path, first, second, lines=lines) as made:
        made.step()
        assert lines == ["hl: one", "hl: two", "hl: three"]
        heard = (tmp_path / "box" / "companion.lua").read_text()
        assert '-a", ' in heard
        assert '-b", ' in heard
        # Resolve writes all preferences again when it ends: it is the same message.
        os.utime(first, (1, 1))
        made.step()
        assert len(lines) == 3


def test_old_and_damaged_messages_are_passed_over(tmp_path: Path) -> None:
    prefs = tmp_path / "Fusion.prefs"
    lines: list[str] = []
    with companion(tmp_path, prefs, lines=lines) as made:
        for content in (
            message("a", spoken("old"), sent=int(time.time()) - 121),
            message("b", spoken("of a clock that is wrong"), sent=int(time.time()) + 1000),
            b'HlResolveMessage = "17-a:-:====",',
            b'HlResolveMessage = "1764516000-a:../../etc:aGk=",',
            message("c", spoken("half"))[:-9],
            b"\xff\xfe\0" * 1000,
            b"",
        ):
            prefs.write_bytes(content)
            made.step()
        assert lines == []
        prefs.write_bytes(message("d", b"no records\xff"))
        made.step()
        assert len(lines) == 1
        assert lines[0].startswith("a script in Resolve said something that cannot be read")
        assert [path for path in (tmp_path / "box").iterdir() if path.is_dir()] == []


def test_last_whole_message_counts(tmp_path: Path) -> None:
    both = message("a", b"1", sent=1) + message("b", b"2", sent=2, job=JOB)
    assert read_message(both) == Message(id="2-b", time=2, job=JOB, content=b"2")


@given(st.binary(max_size=200))
def test_any_preferences_are_read_without_an_error(content: bytes) -> None:
    read_message(content)
    read_message(b'HlResolveMessage = "' + content)


@given(st.binary(max_size=60))
def test_any_bytes_come_back_from_lua(content: bytes) -> None:
    for engine in ENGINES.values():
        lua = engine.LuaRuntime(encoding=None)
        assert lua.execute(lua_value(content).encode()) == content
    assert lua_value(content).isascii()


def test_status_that_says_done_never_comes_before_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job may end while its texts are read: the plan appears between two readings."""
    job = tmp_path / "box" / JOB
    job.mkdir(parents=True)
    (job / "status.txt").write_text("running")
    made = companion(tmp_path)
    read = Path.read_bytes

    def end_the_job(path: Path) -> bytes:
        try:
            return read(path)
        finally:
            if path.parent == job:
                (job / "plan.txt").write_text("plan")
                (job / "status.txt").write_text("done")

    monkeypatch.setattr(Path, "read_bytes", end_the_job)
    for _ in range(2):
        made.step()
        status, plan = job / "status.lua", job / "plan.lua"
        assert plan.exists() or "done" not in status.read_text()


def test_program_that_cannot_be_started_is_a_failed_job(tmp_path: Path) -> None:
    prefs = tmp_path / "Fusion.prefs"
    request = records_text([record("job", kind="marks"), record("file", path="/x")]).encode()
    made = Companion(
        tmp_path / "box",
        find_prefs=lambda: [prefs],
        command=[str(tmp_path / "gone")],
        say=lambda line: None,
        documents=tmp_path,
    )
    with made:
        prefs.write_bytes(message("a", request, job=JOB))
        made.step()
        status = (tmp_path / "box" / JOB / "status.txt").read_text(encoding="utf-8")
        assert "state=failed" in status
        assert "hl cannot be started: No such file" in status
        assert (tmp_path / "box" / JOB / "status.lua").exists()


def test_folder_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    prefs = tmp_path / "Fusion.prefs"
    lines: list[str] = []
    with companion(tmp_path, prefs, lines=lines) as made:
        # As a full disk, or a file that Resolve reads this moment on Windows.
        beat = tmp_path / "box" / "companion.lua"
        beat.unlink()
        (beat / "in the way").mkdir(parents=True)
        for name in ("a", "b"):
            prefs.write_bytes(message(name, spoken(name)))
            made.step()
        assert lines[1].endswith("; hl resolve goes on trying")
        assert [line for line in lines if "trying" in line] == [lines[1]]


# Installing


def test_installed_script_is_one_file_and_knows_the_folder(tmp_path: Path) -> None:
    system = System(platform="linux", home=tmp_path, variables={})
    (tmp_path / ".local/share/DaVinciResolve").mkdir(parents=True)
    plugin = find_plugin("resolve", ROOT / "plugins")
    for all_users in (False, True):
        files = wanted_files(
            plugin, system, program=Path("/opt/hl"), all_users=all_users, force=True
        )
        scripts = [file for file in files if file.path.suffix == ".lua"]
        assert len(scripts) == 3
        folder = b"" if all_users else lua_name(tmp_path / ".cache" / "hl-resolve")
        for script in scripts:
            line = f"local MAILBOX = {lua_string(folder)}  -- ".encode()
            assert script.content.count(line) == 1
            assert script.content.isascii()
            assert not [word for word in (b"dofile(", b"package.path") if word in script.content]


@pytest.mark.parametrize(
    ("platform", "variables", "place"),
    [
        ("linux", {}, ".cache/hl-resolve"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/hl-resolve"),
        ("macos", {"XDG_CACHE_HOME": "/x"}, "Library/Caches/hl-resolve"),
        ("windows", {}, "AppData/Local/hl-resolve"),
        ("windows", {"LOCALAPPDATA": "/local"}, "/local/hl-resolve"),
    ],
)
def test_folder_is_the_one_that_scripts_have(
    platform: str, variables: dict[str, str], place: str
) -> None:
    system = System(platform=platform, home=Path("/home/me"), variables=variables)  # type: ignore[arg-type]
    assert mailbox_dir(system) == Path("/home/me") / place


@pytest.mark.parametrize("damage", [b"local PARTS = {}", b'local MAILBOX = ""'])
def test_script_without_its_lines_is_not_installed(tmp_path: Path, damage: bytes) -> None:
    from dataclasses import replace

    from hlcli.errors import OutputError

    file = find_plugin("resolve", ROOT / "plugins").files[0]
    broken = tmp_path / "x.lua"
    broken.write_bytes(file.source.read_bytes().replace(damage, b"-- nothing"))
    with pytest.raises(OutputError, match=r"x\.lua has no line local"):
        file_content(replace(file, source=broken), program=Path("/opt/hl"))


# The command


def run_hl_resolve(home: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "hlcli", "resolve"],
        env={**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("ready: choose Workspace > Scripts")
    return process


@pytest.mark.parametrize("engine", ["luajit"], indirect=True)
def test_real_hl_resolve_scores_for_a_script_in_the_sandbox(desk: Desk) -> None:
    made = make_video(
        desk.folder,
        name="match.mp4",
        num_frames=240,
        paint=shots(90, 150),
        audio=(AudioTrack(click_track(8.0, (4.0, 4.5, 5.0))),),
    )
    path = desk.folder / "J\u00fcrgen \u65e5\u672c.mp4"
    made.rename(path)
    desk.world.media[str(path)] = Media(rate=Fraction(30), num_frames=240)
    desk.world.selected.append(desk.world.add_media(str(path)))
    desk.install(Path("/opt/gone/hl"), mailbox=os.fsencode(desk.folder / "home/cache/hl-resolve"))
    stop(desk)
    profile = desk.folder / "home/.local/share/DaVinciResolve/Fusion/Profiles/Default"
    profile.mkdir(parents=True)
    desk.world.prefs = profile / "Fusion.prefs"
    options = desk.folder / "home/cache/hl-resolve/options.txt"
    options.parent.mkdir(parents=True, exist_ok=True)
    options.write_text("top 1", encoding="utf-8")
    process = run_hl_resolve(desk.folder / "home")
    try:
        second = subprocess.run(
            [sys.executable, "-m", "hlcli", "resolve"],
            env={**os.environ, "XDG_CACHE_HOME": str(desk.folder / "home" / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode == 2
        assert "hl resolve is running already" in second.stderr
        desk.press("hl Highlights", wait_seconds=0.3)
        (timeline,) = desk.world.timelines
        assert timeline.name == "J\u00fcrgen \u65e5\u672c highlights"
        assert timeline.places("video")
        assert desk.bins == desk.errors == []
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        last = f"highlights on the timeline {path.stem} highlights\n"
        assert any(line.endswith(last) for line in lines)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert not (desk.folder / "home" / "cache" / "hl-resolve" / "companion.lua").exists()
