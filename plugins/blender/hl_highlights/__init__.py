"""Finds highlights of movie strips with hl, in Blender's Video Sequencer (3.4 to 5.0).

The work is done by the `hl` program, in the background; the add-on starts it, reads the timeline it
writes (an .otio file is JSON), and lays strips and markers from its frame numbers.
"""

from __future__ import annotations

import contextlib

import bpy

from . import operators, panel, settings
from .trouble import Trouble
from .work import finish_job, show_progress, state, watch

bl_info = {
    "name": "hl highlights",
    "author": "The authors of hl",
    "version": (1, 0, 0),
    "blender": (3, 4, 0),
    "location": "Video Sequencer > side panel > hl",
    "description": "Find the moments worth keeping: score strips, highlight strips, markers",
    "category": "Sequencer",
}

_CLASSES = (
    settings.HlSettings,
    settings.HlPreferences,
    operators.HL_OT_score,
    operators.HL_OT_cancel,
    operators.HL_OT_add_strips,
    operators.HL_OT_add_markers,
    operators.HL_OT_add_score_strip,
    operators.HL_OT_set_rate,
    panel.HL_PT_panel,
)


def register() -> None:
    """Called by Blender when the add-on is switched on."""
    for one in _CLASSES:
        bpy.utils.register_class(one)
    bpy.types.Scene.hl_highlights = bpy.props.PointerProperty(type=settings.HlSettings)


def unregister() -> None:
    """Called by Blender when the add-on is switched off; stops hl."""
    if bpy.app.timers.is_registered(watch):
        bpy.app.timers.unregister(watch)
    if state.job is not None:
        state.job.cancel()
        with contextlib.suppress(Trouble):
            finish_job()
    show_progress(None)
    state.job, state.finding, state.message = None, None, ""
    del bpy.types.Scene.hl_highlights
    for one in reversed(_CLASSES):
        bpy.utils.unregister_class(one)
