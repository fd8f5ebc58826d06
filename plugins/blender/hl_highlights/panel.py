"""The tab hl in the side panel of the sequencer."""

from __future__ import annotations

import bpy

from .scene import scene_of
from .work import state


class HL_PT_panel(bpy.types.Panel):
    """The tab hl in the side panel of the sequencer."""

    bl_label = "Highlights"
    bl_idname = "HL_PT_panel"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "hl"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw settings, then buttons; while hl works, how far it is and how to stop it."""
        layout, settings = self.layout, scene_of(context).hl_highlights
        job = state.job
        if job is not None:
            words = f"{job.words} {job.fraction:.0%}"
            if hasattr(layout, "progress"):
                layout.progress(text=words, factor=job.fraction)
            else:
                layout.label(text=words)
            layout.operator("hl.cancel", icon="X")
            return
        layout.prop(settings, "keep")
        if settings.keep == "length":
            layout.prop(settings, "seconds")
        if settings.keep == "count":
            layout.prop(settings, "count")
        layout.prop(settings, "visual_only")
        layout.prop(settings, "model")
        layout.operator("hl.score", icon="VIEWZOOM")
        if state.message:
            layout.label(text=state.message)
        layout.separator()
        layout.operator("hl.set_rate")
        layout.operator("hl.add_score_strip", icon="COLOR")
        layout.operator("hl.add_markers", icon="MARKER_HLT")
        layout.prop(settings, "place")
        layout.operator("hl.add_strips", icon="SEQ_SEQUENCER")
