"""The job that runs now and what the last one found, while the add-on is on."""

from __future__ import annotations

import contextlib
from pathlib import Path

import bpy

from .finding import Finding
from .job import Job
from .scene import chosen_strips, path_of
from .trouble import Trouble


class _State:
    """What lives as long as the add-on is on."""

    job: Job | None = None
    finding: Finding | None = None
    message: str = ""


state = _State()


def start_job(scene: bpy.types.Scene, program: str) -> Job:
    """Start scoring the chosen strips with a program hl.

    Raises:
        Trouble: None is chosen, a file is missing, or hl cannot be started.
    """
    if state.job is not None:
        raise Trouble("hl is at work already")
    paths = list(dict.fromkeys(path_of(strip) for strip in chosen_strips(scene)))
    if not paths:
        raise Trouble("select a movie strip")
    for path in paths:
        if not Path(path).is_file():
            raise Trouble(f"there is no {path}")
    state.job = Job(program, paths, scene.hl_highlights.arguments())
    state.message = ""
    return state.job


def finish_job() -> None:
    """Wait for the job and keep what it found.

    Raises:
        Trouble: hl failed.
    """
    job, state.job = state.job, None
    if job is None:
        return
    try:
        found = job.result()
    except Trouble as trouble:
        state.message = str(trouble)
        raise
    if found is None:
        state.message = "cancelled"
        return
    state.finding = found
    state.message = f"{len(found.moments)} moments"


def watch() -> float | None:
    """Look after the job a few times a second, as a timer: Blender stays usable meanwhile."""
    job = state.job
    if job is None:
        show_progress(None)
        return None
    if job.is_running:
        show_progress(job)
        return 0.2
    with contextlib.suppress(Trouble):
        # Its words stand in the panel.
        finish_job()
    show_progress(None)
    return None


def show_progress(job: Job | None) -> None:
    """Say in the status bar of every window how far hl is; None clears it."""
    words = f"hl: {job.words} {job.fraction:.0%}" if job is not None else None
    for window in bpy.context.window_manager.windows:
        window.workspace.status_text_set(words)
        for area in window.screen.areas:
            if area.type == "SEQUENCE_EDITOR":
                area.tag_redraw()
