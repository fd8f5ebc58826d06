"""Lay the highlights of the selected clips on a new timeline: for DaVinci Resolve Studio.

Workspace > Scripts; the free edition lists no Python from 21.1 on and has the Lua script instead,
which this one follows step by step: the same requests, jobs and checks. Runs on Python 3.7, which
older versions of Resolve may have, and needs nothing but Python. All in one file, because Resolve
does not tell a script where it lies.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Tuple  # noqa: UP035 - Python 3.7

if TYPE_CHECKING:
    from fusionscript import MediaPoolItem, Project, Resolve, Timeline, TimelineItem

HL = "hl"  # the program; `hl plugins install resolve` writes its path here

Fields = Dict[str, str]  # noqa: UP006
Records = List[Tuple[str, Fields]]  # noqa: UP006

HEADER = "hl-resolve\t1"
ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
POLL_SECONDS = 1.0
START_SECONDS = 60
SILENT_SECONDS = 20
SPEAK_SECONDS = 15
KEEP_SECONDS = 86400
OURS = ("cut_folder", "import", "learn_as", "wait_minutes")


class Stop(Exception):
    """What the user is told instead of a traceback."""


def say(text: str) -> None:
    """Write a line to the console."""
    print("hl: " + text)  # noqa: T201


# What hl and this script exchange: hlcli/timeline/resolve_records.py


def records_text(records: Records) -> str:
    """Return the text of records; fields in alphabetical order, as the Lua script writes them."""

    def escaped(value: str) -> str:
        return "".join(ESCAPES.get(letter, letter) for letter in value)

    lines = [
        "\t".join([kind] + [f"{name}={escaped(fields[name])}" for name in sorted(fields)])
        for kind, fields in records
    ]
    return "\n".join([HEADER, *lines, "end", ""])


def parse_records(text: str) -> Records:
    """Read records; ValueError for text that is damaged or not finished."""
    lines = text.split("\n")
    if lines[0] != HEADER or lines[-2:] != ["end", ""]:
        raise ValueError("it is of another version of hl, or its end is missing")
    records: Records = []
    for line in lines[1:-2]:
        kind, *parts = line.split("\t")
        fields: Fields = {}
        for part in parts:
            name, equals, value = part.partition("=")
            if not equals or name in fields:
                raise ValueError("a line is damaged")
            fields[name] = _unescaped(value)
        records.append((kind, fields))
    return records


def _unescaped(value: str) -> str:
    letters = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}
    text, rest = "", iter(value)
    for letter in rest:
        text += letters.get(next(rest, ""), "\0") if letter == "\\" else letter
    if "\0" in text:
        raise ValueError("an escape stands for nothing")
    return text


def job_key(text: str) -> str:
    """Return the name of a job's folder: the Lua script finds the same."""
    first, second = 5381, 52711
    for byte in text.encode("utf-8"):
        first = (first * 33 + byte) % 2**32
        second = (second * 65599 + byte) % 2**32
    return f"{first:08x}{second:08x}"


def base_folder() -> Path:
    """Return the folder that holds one folder for each job, and options.txt."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or os.environ["TEMP"]) / "hl-resolve"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "hl-resolve"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hl-resolve"


def read_options() -> Fields:
    """Return options.txt: lines "name value"."""
    path = base_folder() / "options.txt"
    chosen: Fields = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        if line.strip() and not line.strip().startswith("#"):
            name, _, value = line.strip().partition(" ")
            if not value.strip():
                raise Stop(f'options.txt: cannot read "{line}"; write it as: top 5')
            chosen[name.replace("-", "_")] = value.strip()
    return chosen


def _status(folder: Path) -> Fields:
    """Return what the job says of itself; nothing while it says nothing."""
    try:
        records = parse_records((folder / "status.txt").read_text(encoding="utf-8"))
        fields = dict(records[0][1], warnings="\n".join(f["text"] for _, f in records[1:]))
        int(fields["time"])
    except (OSError, ValueError, KeyError, IndexError):
        return {}
    return fields


def _is_alive(status: Fields) -> bool:
    age = abs(time.time() - int(status.get("time", "0")))
    return status.get("state") == "running" and age <= SILENT_SECONDS


def run_job(request: str, wait_minutes: float) -> Records:
    """Run a request, or find it running, and return the plan it ends with."""
    folder = base_folder() / job_key(request)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    process, before = None, _status(folder)
    age = abs(time.time() - int(before.get("time", "0")))
    if _is_alive(before):
        say("hl is at work on this already")
    elif before.get("state") == "done" and age <= KEEP_SECONDS:
        say("hl has finished this in the meantime")
    else:
        if not Path(HL).is_file():
            raise Stop(f"hl is not where it was ({HL}): run `hl plugins install resolve` again")
        for name in ("status.txt", "plan.txt"):
            if (folder / name).exists():
                (folder / name).unlink()
        (folder / "request.txt").write_bytes(request.encode("utf-8"))
        say("hl starts")
        process = _start(folder)
    status = _wait(folder, 60 * wait_minutes)
    if process is not None:
        process.wait(SILENT_SECONDS)  # It has said its last word; nothing of it stays behind.
    # Taken: the next press asks hl anew, which knows its scores.
    (folder / "status.txt").unlink()
    for line in filter(None, status["warnings"].split("\n")):
        say("warning: " + line)
    if status["state"] != "done":
        raise Stop(". ".join(filter(None, [status.get("message"), status.get("hint")])))
    try:
        return parse_records((folder / "plan.txt").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Stop(f"the plan of hl cannot be read: {error}") from error


def _start(folder: Path) -> subprocess.Popen[bytes]:
    """Start hl so that it outlives this script; Resolve's own Python must not reach into hl's."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
    flags = 0x08000000 if sys.platform == "win32" else 0  # CREATE_NO_WINDOW
    with (folder / "log.txt").open("wb") as log:
        return subprocess.Popen(
            [HL, "resolve-job", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=kept,
            start_new_session=sys.platform != "win32",
            creationflags=flags,
        )


def _wait(folder: Path, wait_seconds: float) -> Fields:
    began = spoke = time.time()
    last, silent = "", 0
    while True:
        status, now = _status(folder), time.time()
        if status and status["state"] != "running":
            return status
        if not status and now - began > START_SECONDS:
            raise Stop("hl did not start. Run `hl doctor` in a terminal")
        silent = silent + 1 if status and not _is_alive(status) else 0
        if silent > SILENT_SECONDS / POLL_SECONDS:
            raise Stop("hl has stopped without a word. Start the script again to go on")
        text = status.get("stage", "")
        if text and (text != last or now - spoke >= SPEAK_SECONDS):
            share = float(status.get("done", 0)) / max(float(status.get("total", 0)), 1)
            say(f"{Path(status.get('file', '')).name}: {text} {100 * share:.0f}%")
            last, spoke = text, now
        if now - began >= wait_seconds:
            raise Stop(
                "hl is still at work, in the background. Start the script again later: it goes "
                "on from there"
            )
        time.sleep(POLL_SECONDS)


# Resolve


def find_resolve() -> Resolve:
    """Return Resolve: scripts of the menu get it, others ask for it."""
    found = globals().get("resolve")
    if found is None:
        try:
            import DaVinciResolveScript  # type: ignore[import-not-found]  # Resolve brings it
        except ImportError as error:
            raise Stop("start this from Resolve: Workspace > Scripts") from error
        found = DaVinciResolveScript.scriptapp("Resolve")
    # Every name seems to be there on Resolve's objects: only an answer says that one is.
    if found is None or not found.GetProductName():
        raise Stop("Resolve does not answer: close the dialog that is open")
    return found  # type: ignore[no-any-return]


def path_of(item: MediaPoolItem | None) -> str:
    """Return the file of a clip in the media pool; "" if it is offline or has none."""
    path = item.GetClipProperty("File Path") if item else ""
    return path if isinstance(path, str) else ""


def selected_clips(project: Project) -> dict[str, MediaPoolItem]:
    """Return the clips selected in the media pool, else the one under the playhead, by file."""
    items = list(project.GetMediaPool().GetSelectedClips() or [])
    timeline = project.GetCurrentTimeline()
    if not items and timeline and timeline.GetCurrentVideoItem():
        items = [timeline.GetCurrentVideoItem().GetMediaPoolItem()]
    found = {path_of(item): item for item in items if path_of(item)}
    if not found:
        raise Stop(
            "select a clip in the media pool, or put the playhead on one, and start this again"
        )
    return found


class Plan:
    """What hl found: where each item shall lie, and the markers."""

    def __init__(self, records: Records) -> None:
        def of_kind(kind: str) -> list[Any]:
            return [_numbers(fields) for name, fields in records if name == kind]

        (self.timeline,) = of_kind("timeline")
        self.sources, self.items, self.marks = map(of_kind, ("source", "item", "mark"))
        self.files: list[str] = [one["file"] for one in of_kind("import")]
        top, bottom = self.timeline["rate"].split("/")
        self.rate = int(top) / int(bottom)

    def on_track(self, kind: str, track: int) -> list[Any]:
        """Return the items of a track in the order of the timeline."""
        return [item for item in self.items if (item["type"], item["track"]) == (kind, track)]


def _numbers(fields: Fields) -> dict[str, Any]:
    return {
        n: int(v) if v.isdigit() and n not in ("name", "note") else v for n, v in fields.items()
    }


def _rate(text: str) -> float:
    return float(text.replace("DF", "").strip() or 0)


def differences(timeline: Timeline, plan: Plan) -> tuple[list[str], dict[int, TimelineItem]]:
    """Compare a timeline with the plan: what differs, and the picture's item of each event."""
    wrong, of_event = [], {}
    if abs(_rate(timeline.GetSetting("timelineFrameRate")) - plan.rate) > 0.006:
        wrong.append(f"it does not run at {plan.rate:.5g} frames a second")
    for kind in ("video", "audio"):
        for track in range(1, plan.timeline[kind + "_tracks"] + 1):
            items = timeline.GetItemListInTrack(kind, track) or []
            items = sorted(items, key=lambda item: item.GetStart(False))
            wanted = plan.on_track(kind, track)
            if len(items) != len(wanted):
                wrong.append(f"{kind} track {track} has {len(items)} items, not {len(wanted)}")
            for index, item in enumerate(items[: len(wanted)]):
                if not _is_right(item, wanted[index], timeline, plan):
                    wrong.append(f"{kind} item {index + 1} of track {track} is not the one of hl")
                elif kind == "video":
                    of_event[wanted[index]["event"]] = item
    return wrong, of_event


def _is_right(item: TimelineItem, wanted: Any, timeline: Timeline, plan: Plan) -> bool:
    source, slack = plan.sources[wanted["source"] - 1], 1 - wanted["exact"]
    return (
        path_of(item.GetMediaPoolItem()) in (source["path"], source["asked"])
        and abs(item.GetStart(False) - timeline.GetStartFrame() - wanted["at"]) <= slack
        and abs(item.GetDuration(False) - wanted["length"]) <= slack
        # GetSourceStartFrame can be off by one.
        and (slack == 1 or item.GetLeftOffset(False) == wanted["start"])
    )


def free_name(project: Project, wanted: str) -> str:
    """Return a name that no timeline has: importing under a taken one does nothing."""
    indices = range(1, project.GetTimelineCount() + 1)
    taken = {project.GetTimelineByIndex(index).GetName() for index in indices}
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted} {number}", number + 1
    return name


def build(
    project: Project, plan: Plan, known: dict[str, MediaPoolItem], *, is_exclusive: bool
) -> tuple[Timeline | None, list[str]]:
    """Build the timeline from clips of the media pool; the reason if it comes out wrong."""
    pool = project.GetMediaPool()
    timeline = pool.CreateEmptyTimeline(free_name(project, plan.timeline["name"]))
    if not timeline:
        return None, ["Resolve makes no timeline"]
    project.SetCurrentTimeline(timeline)
    if abs(_rate(timeline.GetSetting("timelineFrameRate")) - plan.rate) > 0.006:
        timeline.SetSetting("useCustomSettings", "1")
        timeline.SetSetting("timelineFrameRate", f"{plan.rate:.6g}")
    for _ in range(timeline.GetTrackCount("video"), plan.timeline["video_tracks"]):
        timeline.AddTrack("video")  # type: ignore[call-overload]
    for _ in range(timeline.GetTrackCount("audio"), plan.timeline["audio_tracks"]):
        timeline.AddTrack("audio", "stereo")
    clips: Any = [
        {
            "mediaPoolItem": known[plan.sources[item["source"] - 1]["asked"]],
            "startFrame": item["start"],  # from the first frame of the file
            "endFrame": item["stop"] - (not is_exclusive),
            "mediaType": 1 if item["type"] == "video" else 2,
            "trackIndex": item["track"],
            "recordFrame": timeline.GetStartFrame() + item["at"],  # absolute
        }
        for item in plan.items
    ]
    pool.AppendToTimeline(clips)
    wrong, _ = differences(timeline, plan)
    if wrong:
        pool.DeleteTimelines([timeline])
        return None, wrong
    return timeline, []


def set_markers(timeline: Timeline, plan: Plan, of_event: dict[int, TimelineItem]) -> None:
    """Complete the markers that came in with the clips; set the others on the timeline."""
    for mark in plan.marks:
        item = of_event.get(mark["event"])
        frames = list(item.GetMarkers() or {}) if item else []
        on_clip = len(frames) == 1
        target: Any = item if on_clip else timeline
        rest = (mark["color"], mark["name"], mark["note"], mark["length"], mark["id"])
        if on_clip:
            target.DeleteMarkerAtFrame(frames[0])
        for frame in [frames[0]] if on_clip else range(mark["at"], mark["at"] + 5):
            if target.AddMarker(frame, *rest):
                break
        else:
            say(f"the marker {mark['name']} could not be set")


def run(resolve: Resolve) -> str:
    """Do it all; the sentence for the user."""
    project = resolve.GetProjectManager().GetCurrentProject()
    if not project:
        raise Stop("no project is open")
    if project.GetName().startswith("Untitled Project"):
        raise Stop("save the project under a name first (File > Save Project)")
    known, options = selected_clips(project), read_options()
    stem = Path(next(iter(known)).replace("\\", "/")).stem
    more = f" and {len(known) - 1} more" if len(known) > 1 else ""
    job = {"kind": "highlights", "name": f"{stem}{more} highlights"}
    job["frame_rate"] = project.GetSetting("timelineFrameRate")
    records: Records = [("job", job), *(("file", {"path": path}) for path in known)]
    chosen = {name: options[name] for name in sorted(options) if name not in OURS}
    records += [("option", {"name": name, "value": chosen[name]}) for name in chosen]
    plan = Plan(run_job(records_text(records), float(options.get("wait_minutes", 20))))
    gone = [source["path"] for source in plan.sources if not Path(source["path"]).is_file()]
    if gone:
        raise Stop("the file is gone: " + ", ".join(gone))

    pool = project.GetMediaPool()
    timeline: Timeline | None = None
    wrong = ["nothing was imported"]
    of_event: dict[int, TimelineItem] = {}
    wanted = options.get("import", "")
    files = sorted(plan.files, key=lambda file: not file.endswith(f".{wanted}"))
    for file in files if wanted != "no" else []:
        name = free_name(project, plan.timeline["name"])
        choices: Any = {"timelineName": name, "importSourceClips": True}
        timeline = pool.ImportTimelineFromFile(file, choices)
        wrong, of_event = differences(timeline, plan) if timeline else (["nothing came in"], {})
        if not wrong:
            break
        if timeline:
            pool.DeleteTimelines([timeline])
        say(f"Resolve imported something else from {Path(file).name}: {wrong[0]}")
    if wrong:
        say("hl builds the timeline itself")
        is_new, timeline = int(resolve.GetVersion()[0]) >= 19, None
        for is_exclusive in (is_new, not is_new):
            if timeline is None:
                timeline, wrong = build(project, plan, known, is_exclusive=is_exclusive)
        of_event = differences(timeline, plan)[1] if timeline else {}
    if timeline is None:
        raise Stop(
            f"the timeline could not be made: {wrong[0]}. Its file is {plan.files[0]}: "
            "try File > Import > Timeline..."
        )
    project.SetCurrentTimeline(timeline)
    set_markers(timeline, plan, of_event)
    return f"{len(plan.marks)} highlights on the timeline {timeline.GetName()}"


def main() -> None:
    """Run and say what came of it."""
    try:
        say(run(find_resolve()))
    except Stop as reason:
        say(str(reason))
    except Exception as error:  # noqa: BLE001 - a traceback helps nobody who cuts films
        say(f"this is a bug in the plugin, please report it: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
