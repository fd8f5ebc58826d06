"""Runs inside Blender: the add-on as a user would use it, without a window.

    blender -b --factory-startup -P blender_addon.py -- VIDEO FOLDER

Everything that can be seen afterwards is written to FOLDER/report.json; the highlights are rendered
to FOLDER/rendered.mp4, their sound to FOLDER/rendered.wav. It judges nothing: the test does.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import bpy

FIRST = 11
"""Where the strip starts, off every round number."""


def main() -> None:
    """Switch on, refuse, score, cancel, lay, render, switch off."""
    video, folder = sys.argv[sys.argv.index("--") + 1 :]
    report: dict[str, object] = {"version": bpy.app.version_string}
    bpy.ops.preferences.addon_enable(module="hl_highlights")
    import hl_highlights
    from hl_highlights import scene as scenes
    from hl_highlights import work

    report["file"] = hl_highlights.__file__
    scene = bpy.context.scene
    report["without a strip"] = refusal(bpy.ops.hl.score)
    strip = scenes.strips_of(scene).new_movie("footage", video, 2, FIRST)
    report["active without moments"] = bpy.ops.hl.add_strips.poll()
    scene.hl_highlights.keep = "count"
    scene.hl_highlights.count = 3

    # By the timer, as with a window; nothing is in the cache yet.
    report["stages"] = watched(scene, work)
    report["message"] = work.state.message
    finding = work.state.finding

    # A button press, which waits where there is no window; then one that is stopped.
    bpy.ops.hl.score()
    again = work.state.finding
    report["same again"] = [one.name for one in again.moments] == [
        one.name for one in finding.moments
    ]
    work.start_job(scene, hl_highlights.settings.program())
    job = work.state.job
    report["busy"] = refusal(bpy.ops.hl.score)
    bpy.ops.hl.cancel()
    while work.watch() is not None:
        time.sleep(0.05)
    report["cancelled"] = [work.state.message, job._folder.exists(), work.state.finding is again]

    scene.hl_highlights.model = "no-such-model"
    report["unknown model"] = refusal(bpy.ops.hl.score)
    scene.hl_highlights.model = ""

    # A scene of another rate is refused, and nothing is left behind.
    report["other rate"] = refusal(bpy.ops.hl.add_markers)
    scene.hl_highlights.place = "playhead"
    report["other rate, strips"] = refusal(bpy.ops.hl.add_strips)
    report["left behind"] = [one.name for one in scenes.strips_of(scene) if one != strip]
    bpy.ops.hl.set_rate()
    report["rate"] = [scene.render.fps, round(scene.render.fps_base, 6)]
    report["set again"] = bpy.ops.hl.set_rate.poll()

    # Half of the strip's first second is trimmed: nothing may stand outside of what is shown.
    strip.frame_offset_start = 10
    bpy.ops.hl.add_score_strip()
    report["score strip"] = [
        [one.name, one.channel, one.frame_final_start, one.frame_final_end, one.mute]
        for one in sorted(scenes.strips_of(scene), key=lambda one: one.frame_final_start)
        if one.type == "COLOR"
    ]
    bpy.ops.hl.add_markers()
    bpy.ops.hl.add_markers()
    report["markers"] = sorted([one.frame, one.name] for one in scene.timeline_markers)
    scene.frame_set(1000)
    bpy.ops.hl.add_strips()
    report["playhead"] = laid(scene, scenes, lambda one: one.frame_final_start >= 1000)

    scene.hl_highlights.place = "scene"
    bpy.ops.hl.add_strips()
    new = bpy.data.scenes["hl Highlights"]
    report["scene"] = laid(new, scenes, lambda one: True)
    report["range"] = [new.frame_start, new.frame_end, new.render.fps]
    render(new, Path(folder))

    bpy.ops.preferences.addon_disable(module="hl_highlights")
    report["gone"] = [
        hasattr(bpy.types.Scene, "hl_highlights"),
        hasattr(bpy.types, "HL_PT_panel"),
        "score" in dir(bpy.ops.hl),
        bpy.app.timers.is_registered(work.watch),
    ]
    bpy.ops.preferences.addon_enable(module="hl_highlights")
    report["on again"] = bpy.context.scene.hl_highlights.keep
    bpy.ops.preferences.addon_disable(module="hl_highlights")
    (Path(folder) / "report.json").write_text(json.dumps(report), encoding="utf-8")


def refusal(operator: object) -> str:
    """Return the words with which an operator refuses."""
    try:
        operator()  # type: ignore[operator]
    except RuntimeError as error:
        return str(error)
    return "nothing"


def watched(scene: bpy.types.Scene, work: object) -> list[str]:
    """Score by the timer's function; returns the stages that were shown."""
    import hl_highlights

    work.start_job(scene, hl_highlights.settings.program())  # type: ignore[attr-defined]
    job, shown = work.state.job, []  # type: ignore[attr-defined]
    while work.watch() is not None:  # type: ignore[attr-defined]
        if job.words not in shown:
            shown.append(job.words)
        assert 0 <= job.fraction <= 1
        time.sleep(0.02)
    return [*shown, f"{job.fraction:.0%}"]


def laid(scene: bpy.types.Scene, scenes: object, wanted: object) -> list[list[object]]:
    """Return strips as type, name, channel, place and length, offset into the file."""
    return sorted(
        [
            one.type,
            one.name,
            one.channel,
            one.frame_final_start,
            one.frame_final_duration,
            int(one.frame_offset_start),
        ]
        for one in scenes.strips_of(scene)  # type: ignore[attr-defined]
        if wanted(one)  # type: ignore[operator]
    )


def render(scene: bpy.types.Scene, folder: Path) -> None:
    """Render a scene's pictures, then its sound."""
    render = scene.render
    render.resolution_x, render.resolution_y = 160, 96
    render.resolution_percentage = 100
    scene.view_settings.view_transform = "Standard"
    if hasattr(render.image_settings, "media_type"):
        # Blender 5.
        render.image_settings.media_type = "VIDEO"
    render.image_settings.file_format = "FFMPEG"
    render.ffmpeg.format = "MPEG4"
    render.ffmpeg.codec = "H264"
    render.ffmpeg.constant_rate_factor = "HIGH"
    render.ffmpeg.gopsize = 1
    render.ffmpeg.audio_codec = "NONE"
    render.use_sequencer = True
    render.filepath = str(folder / "rendered.mp4")
    bpy.ops.render.render(animation=True, scene=scene.name)
    with bpy.context.temp_override(scene=scene):
        bpy.ops.sound.mixdown(
            filepath=str(folder / "rendered.wav"), container="WAV", codec="PCM", format="S16"
        )


main()
