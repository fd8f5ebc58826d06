"""The Lua scripts as on Windows: "\\" between folders, and plain Lua opens ASCII names only."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import lupa.lua51
import lupa.luajit21
import pytest
from document_factory import make_document
from fake_resolve import Media, World, lua_object
from resolve_desk import PLACES_30, PLUGIN, SPANS, Desk, prepare

from hlcli.plugins.manifest import find_plugin
from hlcli.plugins.wanted import file_content
from hlcli.timeline.resolve_records import parse_records, record, records_text

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="plays Windows on other systems")

PROGRAM = "C:\\Users\\J\u00fcrgen\\hl\\Scripts\\hl.exe"
TO_WINDOWS = """
  package.config = "\\\\\\n;\\n?\\n!\\n-\\n"
  local open, rename = io.open, nil
  io.open = function(name, mode)
    if name:find("[\\128-\\255]") then return nil, "not in the code page" end
    return open((name:gsub("\\\\", "/")), mode)
  end
  os.execute = function(command) return run_plain(command) end
  os.remove = function(name) error("os.remove of " .. name) end
"""


@pytest.fixture(scope="module")
def calls_of_windows(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give this process the functions of Windows that the FFI looks for."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    source = Path(__file__).with_name("windows_shim.c")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-std=gnu99", "-o", str(library), str(source)], check=True
    )
    ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)


def windows_lua(engine: Any, world: World, lines: list[str], **extra: Any) -> Any:
    lua = engine.LuaRuntime(unpack_returned_tuples=True)
    made = lua.globals()
    made.resolve = lua_object(lua, world)
    made.print = lambda *words: lines.append("\t".join(str(word) for word in words))
    for name, value in extra.items():
        made[name] = value
    lua.execute(TO_WINDOWS)
    return lua


def start(lua: Any, entry: str, program: str = PROGRAM) -> None:
    """Choose an entry of the menu."""
    (file,) = [one for one in find_plugin("resolve").files if one.source.name == entry]
    lua.execute(file_content(file, program=Path(program)))


def load_part(lua: Any, name: str) -> Any:
    """Load a part, and the parts that it asks for."""
    part = lua.eval("""function(folder)
      local function part(name) return assert(loadfile(folder .. name .. ".lua"))(part) end
      return part
    end""")
    return part(f"{PLUGIN}/lib/")(name)


@pytest.mark.usefixtures("calls_of_windows")
def test_names_outside_the_code_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "J\u00fcrgen \u65e5\u672c \U0001f3ac"
    home.mkdir()
    commands = tmp_path / "commands.txt"
    monkeypatch.setenv("LOCALAPPDATA", str(home).replace("/", "\\"))
    monkeypatch.setenv("HL_SHIM_COMMANDS", str(commands))
    # What Resolve knows on Windows, and where it lies on this machine.
    path = tmp_path / "footage" / "M\u00fcller \u65e5\u672c.mov"
    path.parent.mkdir()
    path.write_bytes(b"pictures")
    world = World(media={str(path): Media(rate=Fraction(30), num_frames=900)})
    world.selected.append(world.add_media(str(path)))
    desk = Desk(tmp_path, lupa.luajit21, world)
    prepare(desk, make_document(path=str(path), num_frames=900, spans=SPANS))
    base = home / "hl-resolve"

    def work(seconds: float) -> None:
        """Be hl: what it was asked for lies in the folder that the command names."""
        (job,) = [one for one in base.iterdir() if one.is_dir()]
        shutil.copy(tmp_path / "ready" / "plan.txt", job)
        done = records_text([record("status", state="done", time=int(time.time()))])
        (job / "status.txt").write_text(done, encoding="utf-8")

    lines: list[str] = []
    program = tmp_path / "J\u00fcrgen" / "hl.exe"
    program.parent.mkdir()
    program.write_bytes(b"")
    shown = str(program).replace("/", "\\")
    lua = windows_lua(lupa.luajit21, world, lines, run_plain=None)
    lua.globals().bmd = lua.table_from({"wait": work})
    start(lua, "highlights.lua", shown)

    assert lines[-1] == "hl: 3 highlights on the timeline match highlights"
    assert world.violations == []
    (timeline,) = world.timelines
    assert timeline.places("video") == PLACES_30
    (job,) = [one for one in base.iterdir() if one.is_dir()]
    assert record("file", path=str(path)) in parse_records((job / "request.txt").read_text("utf-8"))
    folder = str(job).replace("/", "\\")
    assert commands.read_text(encoding="utf-8").splitlines() == [
        'set "PYTHONHOME=" & set "PYTHONPATH=" & start "hl" /min '
        f'"{shown}" "resolve-job" "{folder}"'
    ]


@pytest.mark.usefixtures("calls_of_windows")
def test_files_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "\u00e4 \U0001f3ac"
    monkeypatch.setenv("HL_TEST_NAME", str(folder))
    lua = windows_lua(lupa.luajit21, World(media={}), [], run_plain=None)
    wide = load_part(lua, "wide")
    assert wide.getenv("HL_TEST_NAME") == str(folder)
    assert wide.getenv("HL_TEST_NO_SUCH_NAME") is None
    assert wide.mkdir(str(folder)) is True
    assert wide.mkdir(str(folder)) is False
    name = f"{folder}\\\u65e5.txt"
    # Longer than one piece of reading, with every byte in it.
    content = "".join(chr(code) for code in range(1, 128)) * 1100
    assert wide.exists(name) is False
    assert wide.read(name) is None
    assert wide.write(name, content) is True
    assert wide.exists(name) is True
    assert wide.read(name) == content
    assert (folder / "\u65e5.txt").read_bytes() == content.encode()
    assert wide.remove(name) is True
    assert wide.remove(name) is False
    assert wide.write(f"{tmp_path}\\none\\x.txt", "") is False


def test_without_ffi_names_in_the_code_page_still_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path).replace("/", "\\"))
    path = "C:\\Footage\\M\u00fcller.mov"
    world = World(media={path: Media(rate=Fraction(30), num_frames=900)})
    world.selected.append(world.add_media(path))
    program = tmp_path / "hl.exe"
    program.write_bytes(b"")
    commands: list[str] = []

    def run(command: str | None) -> int:
        if command is None:
            return 1  # There is a shell.
        commands.append(command)
        if command.startswith("mkdir "):
            Path(command[7:-1].replace("\\", "/")).mkdir(parents=True)
        return 0

    removed: Callable[[str], None] = lambda name: Path(name.replace("\\", "/")).unlink(  # noqa: E731
        missing_ok=True
    )
    lines: list[str] = []
    lua = windows_lua(lupa.lua51, world, lines, run_plain=run)
    lua.globals().os.remove = removed

    def fail(seconds: float) -> None:
        (job,) = (tmp_path / "hl-resolve").iterdir()
        said = record("status", state="failed", time=int(time.time()), message="heard", hint="")
        (job / "status.txt").write_text(records_text([said]), encoding="utf-8")

    lua.globals().bmd = lua.table_from({"wait": fail})
    start(lua, "mark_only.lua", str(program).replace("/", "\\"))
    assert lines[-1] == "hl: heard"
    (job,) = (tmp_path / "hl-resolve").iterdir()
    # The name of the file goes through a file, whatever its letters.
    assert record("file", path=path) in parse_records((job / "request.txt").read_text("utf-8"))
    assert all(command.isascii() for command in commands)
    assert commands[-1].endswith(f'hl.exe" "resolve-job" "{job}"'.replace("/", "\\"))


def test_program_in_a_folder_that_the_shell_would_rewrite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lua = windows_lua(lupa.lua51, World(media={}), [], run_plain=lambda command: command is None)
    system = load_part(lua, "system")
    assert system.quoted("C:\\100%\\hl.exe") is None
    assert system.quoted("C:\\a & b\\hl.exe") == '"C:\\a & b\\hl.exe"'
    program = "C:\\100%\\hl.exe"
    system.exists = lambda path: True
    started = system.start(program, lua.table_from(["x"]), "log")
    assert started == (False, f"hl cannot be started: {program}")
