"""What the user sets: how much to keep, and which hl is started."""

from __future__ import annotations

import bpy

from .job import HL


class HlSettings(bpy.types.PropertyGroup):
    """How much to keep; the same words as the options of `hl score`."""

    keep: bpy.props.EnumProperty(
        name="Keep",
        items=[
            ("auto", "As hl sees fit", "The best that fill 15 % of the video"),
            ("length", "A length", "Total length of all moments"),
            ("count", "A number", "The best moments"),
        ],
        default="auto",
    )
    seconds: bpy.props.FloatProperty(name="Seconds", default=60.0, min=1.0, soft_max=600.0)
    count: bpy.props.IntProperty(name="Moments", default=10, min=1, soft_max=100)
    visual_only: bpy.props.BoolProperty(
        name="Picture only", description="Judge by the picture alone, without the sound"
    )
    model: bpy.props.StringProperty(
        name="Model", description="Name of a detector, as in `hl models list`; empty: the default"
    )
    place: bpy.props.EnumProperty(
        name="Highlights",
        items=[
            ("scene", "In a new scene", "Picture and sound back to back, alone"),
            ("playhead", "At the playhead", "On free channels of this scene"),
        ],
        default="scene",
    )

    def arguments(self) -> list[str]:
        """Return these settings as options of `hl score`."""
        options = []
        if self.keep == "length":
            options += ["--target-duration", f"{self.seconds:g}s"]
        if self.keep == "count":
            options += ["--top", str(self.count)]
        if self.visual_only:
            options.append("--visual-only")
        if self.model:
            options += ["--model", self.model]
        return options


class HlPreferences(bpy.types.AddonPreferences):
    """Which hl is started."""

    bl_idname = __package__
    program: bpy.props.StringProperty(
        name="Program hl",
        description="Path of hl; empty: the one that installed this add-on",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the one setting."""
        self.layout.prop(self, "program")
        self.layout.label(text=f"without it: {HL}")


def program() -> str:
    """Return the hl to start: the one of the preferences, or the one of the installation."""
    addon = bpy.context.preferences.addons.get(__package__)
    return (addon.preferences.program if addon and addon.preferences else "") or HL
