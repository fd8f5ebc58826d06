"""Scenes and strips, by the names that Blender 3.4 to 5 has for them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy


def scene_of(context: bpy.types.Context) -> bpy.types.Scene:
    """Return the scene that the sequencer shows; Blender 5 may show another than the window."""
    return getattr(context, "sequencer_scene", None) or context.scene


def strips_of(scene: bpy.types.Scene) -> Any:
    """Return the strips of a scene, which Blender 4.4 renamed."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def all_strips_of(scene: bpy.types.Scene) -> list:
    """Return the strips of a scene and of its metastrips."""
    editor = scene.sequence_editor
    if editor is None:
        return []
    return list(editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all)


def rate_of(scene: bpy.types.Scene) -> Fraction:
    """Return the frames a second of a scene; fps_base is a float of 32 bits."""
    return Fraction(scene.render.fps) / Fraction(scene.render.fps_base).limit_denominator(10000)


def set_rate(scene: bpy.types.Scene, rate: Fraction) -> None:
    """Give a scene a rate, 30000/1001 as 30 over 1.001."""
    scene.render.fps = round(rate)
    scene.render.fps_base = round(rate) / float(rate)


def is_rate_of(scene: bpy.types.Scene, rate: Fraction) -> bool:
    """Return whether a scene has a rate; 24 and 24000/1001 differ by a thousandth."""
    return abs(rate_of(scene) / rate - 1) < Fraction(1, 100000)


def chosen_strips(scene: bpy.types.Scene) -> list:
    """Return the selected movie strips, or the active one, or the only one there is."""
    movies = [strip for strip in strips_of(scene) if strip.type == "MOVIE"]
    active = scene.sequence_editor.active_strip
    chosen = [strip for strip in movies if strip.select]
    if not chosen and active is not None and active.type == "MOVIE":
        chosen = [active]
    if not chosen and len(movies) == 1:
        chosen = movies
    return sorted(chosen, key=lambda strip: (strip.frame_final_start, strip.channel))


def path_of(strip: Any) -> str:
    """Return the absolute path of a movie strip."""
    return str(Path(bpy.path.abspath(strip.filepath)).absolute())
