"""Runs inside Blender with a window, on a screen that only exists in memory.

    xvfb-run blender --factory-startup --enable-event-simulate -P blender_window.py -- VIDEO FOLDER

A timer does what a user would: opens the tab hl by the mouse, finds highlights, adds them. Pictures
of the window and window.json, with what was seen, are left in FOLDER.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import bpy

VIDEO, FOLDER = sys.argv[sys.argv.index("--") + 1 :]
TAB = (10, 108)
"""Of the tab hl, from the right and from the top of the side panel, in pixels."""
report: dict[str, object] = {"pictures": []}


def window() -> bpy.types.Window:
    """Return the window."""
    return bpy.context.window_manager.windows[0]


def sequencer() -> bpy.types.Area:
    """Return the area of the sequencer."""
    return next(area for area in window().screen.areas if area.type == "SEQUENCE_EDITOR")


def region(kind: str) -> bpy.types.Region:
    """Return a region of the sequencer."""
    return next(one for one in sequencer().regions if one.type == kind)


def press(operator: object) -> None:
    """Run an operator as a button of the sequencer does."""
    where = {"window": window(), "screen": window().screen, "area": sequencer()}
    with bpy.context.temp_override(**where, region=region("WINDOW")):
        operator()  # type: ignore[operator]


def picture(name: str) -> None:
    """Keep a picture of the window."""
    with bpy.context.temp_override(window=window()):
        bpy.ops.screen.screenshot(filepath=str(Path(FOLDER) / name))
    report["pictures"].append(name)  # type: ignore[attr-defined]


def steps() -> Iterator[float]:
    """Do one thing after the other; yields how long to wait, in seconds."""
    from hl_highlights import panel, work
    from hl_highlights import scene as scenes

    drawn = []
    draw = panel.HL_PT_panel.draw

    def counted(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        draw(self, context)
        drawn.append(work.state.job is not None)

    panel.HL_PT_panel.draw = counted
    area = max(window().screen.areas, key=lambda one: one.width * one.height)
    area.type = "SEQUENCE_EDITOR"
    area.spaces[0].view_type, area.spaces[0].show_region_ui = "SEQUENCER", True
    scene = window().scene
    scenes.set_rate(scene, Fraction(os.environ.get("RATE", "25")))
    scene.hl_highlights.keep, scene.hl_highlights.count = "count", 2
    scenes.strips_of(scene).new_movie("footage", VIDEO, 2, 1)
    yield 1.0
    press(bpy.ops.sequencer.view_all)
    side = region("UI")
    at = {"x": side.x + side.width - TAB[0], "y": side.y + side.height - TAB[1]}
    window().event_simulate(type="MOUSEMOVE", value="NOTHING", **at)
    window().event_simulate(type="LEFTMOUSE", value="PRESS", **at)
    window().event_simulate(type="LEFTMOUSE", value="RELEASE", **at)
    yield 1.0
    press(bpy.ops.hl.score)
    yield 0.5
    has_picture = False
    while (job := work.state.job) is not None:
        if job.fraction > 0.1 and not has_picture:
            picture("working.png")
            has_picture = True
        yield 0.3
    report["message"] = work.state.message
    press(bpy.ops.hl.add_score_strip)
    press(bpy.ops.hl.add_markers)
    yield 1.0
    picture("found.png")
    press(bpy.ops.hl.add_strips)
    yield 0.5
    press(bpy.ops.sequencer.view_all)
    yield 1.0
    picture("scene.png")
    scene = window().scene
    report["scene"] = scene.name
    report["settings"] = [scene.hl_highlights.keep, scene.hl_highlights.count]
    report["strips"] = len(scenes.strips_of(scene))
    report["drawn while working"] = sum(drawn)


def tick() -> float | None:
    """Take a step; after the last one, or an error, Blender ends."""
    try:
        return next(running)
    except StopIteration:
        (Path(FOLDER) / "window.json").write_text(json.dumps(report), encoding="utf-8")
    except BaseException:  # noqa: BLE001 - whatever it is, nobody is there to close the window
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


bpy.ops.preferences.addon_enable(module="hl_highlights")
bpy.context.preferences.view.show_splash = False
running = steps()
bpy.app.timers.register(tick, first_interval=2.0)
