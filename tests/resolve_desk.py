"""A user in front of a fake Resolve: what the tests of the plugin's Lua and Python share."""

from __future__ import annotations

import stat
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import lupa.lua51
import lupa.luajit21
import pytest
from document_factory import make_document
from edit_list_factory import ODD_NAME
from fake_resolve import Media, World, set_stage

from hlcli.cli.resolve_companion import Companion
from hlcli.document import ScoresDocument
from hlcli.plugins.manifest import find_plugin
from hlcli.plugins.wanted import file_content
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.resolve_plan import plan_records, write_timelines
from hlcli.timeline.resolve_records import HEADER, records_text

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = ROOT / "plugins" / "resolve"
NTSC = Fraction(30000, 1001)
ENGINES = {"luajit": lupa.luajit21, "lua51": lupa.lua51}
posix = pytest.mark.skipif(sys.platform == "win32", reason="starts programs through sh")
SPANS = [(2.0, 4.0), (10.0, 12.5), (20.0, 21.0)]
PLACES_30 = [(0, 60, 60), (60, 300, 75), (135, 600, 30)]
"""What SPANS are at 30 frames a second: frame of the timeline, frame of the file, length."""


@dataclass
class Desk:
    """A user in front of Resolve: files, an installed plugin, and what the console showed."""

    folder: Path
    engine: ModuleType
    world: World
    lines: list[str] = field(default_factory=list)
    """What scripts said, in the console or, where print shows nothing, to `hl resolve`."""
    terminal: list[str] = field(default_factory=list)
    """All that `hl resolve` said."""
    errors: list[str] = field(default_factory=list)
    """Errors that scripts ended with."""
    companion: Companion | None = None
    """`hl resolve`, while it runs."""

    @property
    def fusion(self) -> Path:
        return self.folder / "Fusion"

    @property
    def jobs(self) -> list[Path]:
        return [path for path in self.mailbox.glob("*") if path.is_dir()]

    @property
    def mailbox(self) -> Path:
        return self.folder / "cache" / "hl-resolve"

    def install(self, program: Path, *, mailbox: bytes = b"") -> None:
        """Put the files where `plugin.toml` says, as `hl plugins install` does."""
        for file in find_plugin("resolve", ROOT / "plugins").files:
            target = self.fusion / file.target
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file_content(file, program=program, mailbox=mailbox))
        if self.companion is not None:
            self.companion.__exit__()
            self.companion = None
        if self.world.build is not None:
            self.start_companion(program)

    def start_companion(self, program: Path) -> None:
        """Type `hl resolve` into a terminal."""
        profile = self.fusion / "Profiles" / "Default"
        profile.mkdir(parents=True, exist_ok=True)
        self.world.prefs = profile / "Fusion.prefs"

        def say(line: str) -> None:
            self.terminal.append(line)
            if not line.startswith(("at work for Resolve", "finished", "failed; ")):
                self.lines.append(line)

        self.companion = Companion(
            self.mailbox,
            find_prefs=lambda: [path for path in [self.world.prefs] if path],
            command=[str(program)],
            say=say,
            documents=self.folder / "home" / "hl cuts",
        )
        self.companion.__enter__()

    def press(
        self,
        entry: str,
        *,
        wait_seconds: float = 0.1,
        while_waiting: Callable[[], None] = lambda: None,
    ) -> str:
        """Choose an entry of the menu; returns the last line that the user gets to see."""

        def wait(seconds: float) -> None:
            while_waiting()
            time.sleep(wait_seconds)
            if self.companion is not None:
                self.companion.step()

        num_before = len(self.lines)
        lua = self.engine.LuaRuntime(unpack_returned_tuples=True)
        made = lua.globals()
        made.print = lambda *words: self.lines.append("\t".join(str(word) for word in words))
        made.Fusion = lua.eval("function() error('a second Fusion was started') end")
        script = lua.eval("loadfile")(str(self.fusion / "Scripts" / "Utility" / f"{entry}.lua"))
        use = lua.eval("setfenv")
        environment = set_stage(lua, self.world, {"wait": wait})
        if environment is not None:
            use(script, environment)
        if self.companion is not None:
            # It looks a few times a second; tests change files, and press, in less.
            self.companion.step()
        try:
            script()
        except self.engine.LuaError as error:
            self.errors.append(str(error))
        if self.companion is not None:
            self.companion.step()
        assert self.world.violations == []
        shown = [*self.world.windows, *self.bins, *self.errors]
        return (self.lines[num_before:] or shown or [""])[-1]

    @property
    def bins(self) -> list[str]:
        return [folder.name for folder in self.world.root.folders]

    def options(self, *lines: str) -> None:
        self.mailbox.mkdir(parents=True, exist_ok=True)
        (self.mailbox / "options.txt").write_text("\n".join(lines), encoding="utf-8")


def make_program(desk: Desk, body: str) -> None:
    """Install the plugin with a program that stands for `hl`; `folder` is that of the job."""
    script = desk.folder / "program.py"
    script.write_text(
        "import pathlib, shutil, sys, time\n"
        "folder = pathlib.Path(sys.argv[2])\n"
        "def status(**fields):\n"
        "    line = '\\t'.join(['status', *(f'{k}={v}' for k, v in fields.items())])\n"
        "    part = folder / 'part'\n"
        f"    part.write_text({HEADER!r} + f'\\n{{line}}\\ttime={{int(time.time())}}\\nend\\n')\n"
        "    part.replace(folder / 'status.txt')\n"
        "with (folder / 'starts').open('a') as starts:\n"
        "    starts.write(' '.join(sys.argv[1:2]) + '\\n')\n" + body,
        encoding="utf-8",
    )
    program = desk.folder / "it's hl"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{script}' \"$@\"\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    desk.install(program)


def prepare(
    desk: Desk, *documents: ScoresDocument, layout: Layout | None = None, is_cut: bool = True
) -> None:
    """Install the plugin with a program that answers with the timeline of these documents."""
    edit = build_edit_list(documents, name="match highlights", layout=layout or Layout())
    ready = desk.folder / "ready"
    ready.mkdir(exist_ok=True)
    files = write_timelines(edit, ready) if is_cut else []
    plan = records_text(plan_records(edit, timeline_files=files))
    (ready / "plan.txt").write_text(plan, encoding="utf-8", newline="\n")
    make_program(desk, f"shutil.copy({str(ready / 'plan.txt')!r}, folder)\nstatus(state='done')\n")


def add_clip(desk: Desk, name: str = ODD_NAME, **facts: Any) -> str:
    """Put a file on the disk and, selected, into the media pool."""
    path = desk.folder / "footage" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"pictures")
    values: dict[str, Any] = {"rate": Fraction(30), "num_frames": 900} | facts
    desk.world.media[str(path)] = Media(**values)
    desk.world.selected.append(desk.world.add_media(str(path)))
    return str(path)


def ready_clip(desk: Desk, name: str = ODD_NAME, **facts: Any) -> str:
    """Add a clip of 900 frames and what `hl` finds in it."""
    path = add_clip(desk, name, **facts)
    prepare(desk, make_document(path=path, num_frames=900, spans=SPANS))
    return path


def custom_data(markers: dict[float, dict[str, Any]]) -> dict[float, str]:
    return {frame: marker["customData"] for frame, marker in markers.items()}
