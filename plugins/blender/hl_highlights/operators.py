"""The buttons. Blender shows an operator's docstring as its tip, and adds the full stop itself."""

from __future__ import annotations

import bpy

from .finding import Finding
from .lay import add_highlights, add_markers, add_score_strip
from .scene import is_rate_of, scene_of, set_rate
from .settings import program
from .trouble import Trouble
from .work import finish_job, start_job, state, watch


class _Reporting:
    """Turns Trouble into Blender's own messages."""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run; an error leaves things as they are for the user to read."""
        try:
            return self.run(context)
        except Trouble as trouble:
            self.report({"ERROR"}, str(trouble))
            return {"CANCELLED"}


class HL_OT_score(_Reporting, bpy.types.Operator):
    """Find the moments worth keeping in the selected movie strips"""

    bl_idname = "hl.score"
    bl_label = "Find highlights"

    def run(self, context: bpy.types.Context) -> set[str]:
        """Start hl; without a window nobody can wait, so it is waited for here."""
        start_job(scene_of(context), program())
        if bpy.app.background:
            finish_job()
            self.report({"INFO"}, f"hl: {state.message}")
        else:
            bpy.app.timers.register(watch, first_interval=0.2)
        return {"FINISHED"}


class HL_OT_cancel(bpy.types.Operator):
    """Stop hl"""

    bl_idname = "hl.cancel"
    bl_label = "Cancel"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Stop the job; the timer sees that it ended."""
        if state.job is None:
            return {"CANCELLED"}
        state.job.cancel()
        return {"FINISHED"}


class _OfFinding(_Reporting):
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with something found."""
        return state.finding is not None and state.job is None

    def run(self, context: bpy.types.Context) -> set[str]:
        """Do it to the scene, and say how much."""
        assert state.finding is not None
        made = self.make(context, scene_of(context), state.finding)
        self.report({"INFO"}, f"hl: {len(made)} added")
        return {"FINISHED"}


class HL_OT_add_strips(_OfFinding, bpy.types.Operator):
    """Lay picture and sound of every moment back to back"""

    bl_idname = "hl.add_strips"
    bl_label = "Add highlight strips"

    def make(self, context: bpy.types.Context, scene: bpy.types.Scene, finding: Finding) -> list:
        """Lay them where the settings say."""
        if scene.hl_highlights.place == "playhead":
            return add_highlights(scene, finding, scene.frame_current)
        new = bpy.data.scenes.new("hl Highlights")
        try:
            set_rate(new, finding.moments[0].rate)
            new.render.resolution_x = scene.render.resolution_x
            new.render.resolution_y = scene.render.resolution_y
            new.view_settings.view_transform = scene.view_settings.view_transform
            for name in ("keep", "seconds", "count", "visual_only", "model", "place"):
                setattr(new.hl_highlights, name, getattr(scene.hl_highlights, name))
            made = add_highlights(new, finding, 1)
        except Trouble:
            bpy.data.scenes.remove(new)
            raise
        new.frame_start, new.frame_end = 1, sum(moment.count for moment in finding.moments)
        if context.window is not None:
            context.window.scene = new
            if hasattr(context.workspace, "sequencer_scene"):
                context.workspace.sequencer_scene = new
        return made


class HL_OT_add_markers(_OfFinding, bpy.types.Operator):
    """Mark the start of every moment on the timeline"""

    bl_idname = "hl.add_markers"
    bl_label = "Add markers"

    def make(self, context: bpy.types.Context, scene: bpy.types.Scene, finding: Finding) -> list:
        """Mark them."""
        return add_markers(scene, finding)


class HL_OT_add_score_strip(_OfFinding, bpy.types.Operator):
    """Show the scores as a row of muted colour strips"""

    bl_idname = "hl.add_score_strip"
    bl_label = "Add score strip"

    def make(self, context: bpy.types.Context, scene: bpy.types.Scene, finding: Finding) -> list:
        """Lay them."""
        return add_score_strip(scene, finding)


class HL_OT_set_rate(_Reporting, bpy.types.Operator):
    """Give the scene the frame rate of the scored video"""

    bl_idname = "hl.set_rate"
    bl_label = "Set the scene's rate"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when it is another."""
        finding = state.finding
        return finding is not None and not is_rate_of(scene_of(context), finding.moments[0].rate)

    def run(self, context: bpy.types.Context) -> set[str]:
        """Set it."""
        assert state.finding is not None
        set_rate(scene_of(context), state.finding.moments[0].rate)
        return {"FINISHED"}
