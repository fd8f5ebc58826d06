"""A DaVinci Resolve that is stricter than the real one: what others measured of it, as objects.

It answers nil where Resolve does and says no more about it, and it notes in `World.violations` what
no script may do: call what does not exist, pass what the documentation does not name, call with "."
instead of ":". `Handle` is what a Python script gets, `lua_object` what a Lua script gets.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import opentimelineio as otio

COLORS = frozenset(
    {"Blue", "Cyan", "Green", "Yellow", "Red", "Pink", "Purple", "Fuchsia", "Rose", "Lavender"}
    | {"Sky", "Mint", "Lemon", "Sand", "Cocoa", "Cream"}
)
OTIO_COLORS = {"GREEN": "Green", "CYAN": "Cyan", "YELLOW": "Yellow", "RED": "Red", "BLUE": "Blue"}
ONLY_IN_STUDIO = frozenset({"TranscribeAudio", "DetectSceneCuts", "AnalyzeForIntellisearch"})
SETTINGS = {"24": Fraction(24), "25": Fraction(25), "30": Fraction(30)} | {
    "23.976": Fraction(24000, 1001),
    "29.97": Fraction(30000, 1001),
    "29.97 DF": Fraction(30000, 1001),
}


@dataclass(frozen=True)
class Media:
    """What the fake knows of a file; the tests say it, `hl` is not asked."""

    rate: Fraction
    num_frames: int
    start_frame: int = 0
    """Timecode of the first frame."""
    num_sounds: int = 1


@dataclass
class World:
    """One running Resolve."""

    media: dict[str, Media]
    product: str = "DaVinci Resolve"
    version: tuple[int, ...] = (21, 1, 0, 14)
    project_name: str = "Wedding"
    rate_setting: str = "30"
    exclusive_ends: bool = True
    has_selection_call: bool = True
    """Whether MediaPool:GetSelectedClips exists."""
    refuses_import: bool = False
    """Import answers nil for a reason nobody knows."""
    refused_kinds: tuple[str, ...] = ()
    """Extensions of files whose import answers nil."""
    damages_import: Callable[[FakeTimeline], None] | None = None
    """What goes wrong with an imported timeline."""
    modal: str | None = None
    """The call that brought up a dialog; every call fails while it is open."""
    build: str | None = None
    """What scripts may do: all of Lua (None), or what one of `BUILDS` lets them."""
    prefs: Path | None = None
    """Fusion.prefs; without it, SavePrefs writes nothing and says nothing."""
    has_windows: bool = False
    """Whether scripts have UIManager."""
    has_dialogs: bool = False
    """Whether a composition is open in Fusion, which has dialogs."""
    windows: list[str] = field(default_factory=list)
    """What was shown in windows and dialogs."""
    num_saves: int = 0
    violations: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root = Folder(self)
        self.timelines: list[FakeTimeline] = []
        self.current: FakeTimeline | None = None
        self.selected: list[MediaPoolItem] = []
        self.resolve = Handle(Resolve(self))

    @property
    def rate(self) -> Fraction:
        return SETTINGS[self.rate_setting]

    def add_media(self, path: str) -> MediaPoolItem:
        """Put a file into the media pool, once."""
        for item in self.root.items:
            if item.path == path:
                return item
        self.root.items.append(MediaPoolItem(self, path))
        return self.root.items[-1]

    def timeline(self, name: str) -> FakeTimeline:
        """The timeline of a name; there must be one."""
        (found,) = [one for one in self.timelines if one.name == name]
        return found


class Handle:
    """What scripts hold: every name seems to be there (`hasattr` is always true)."""

    def __init__(self, fake: Fake) -> None:
        object.__setattr__(self, "_fake", fake)

    def __getattr__(self, name: str) -> Any:
        fake: Fake = object.__getattribute__(self, "_fake")
        if name in fake.CONSTANTS:
            return fake.CONSTANTS[name]
        return lambda *arguments: _answer(fake, name, arguments)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and fake_of(self) is fake_of(other)

    def __hash__(self) -> int:
        return id(fake_of(self))


def fake_of(handle: Handle) -> Any:
    """The object behind a handle."""
    return object.__getattribute__(handle, "_fake")


def _answer(fake: Fake, name: str, arguments: tuple[Any, ...]) -> Any:
    world = fake.world
    world.calls.append(name)
    if world.modal is not None:
        return None
    if name in ONLY_IN_STUDIO:
        if not world.product.endswith("Studio"):
            world.modal = name
        return False
    method = getattr(type(fake), name, None)
    if method is None or not name[0].isupper() or fake.lacks(name):
        if not fake.lacks(name):
            world.violations.append(f"{type(fake).__name__} has no {name}")
        raise TypeError("'NoneType' object is not callable")
    try:
        return _wrapped(method(fake, *_unwrapped(arguments)))
    except (TypeError, ValueError, KeyError, AssertionError) as error:
        world.violations.append(f"{type(fake).__name__}:{name}: {error!r}")
        raise


def _unwrapped(value: Any) -> Any:
    if isinstance(value, Handle):
        return fake_of(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_unwrapped(one) for one in value)
    if isinstance(value, dict):
        return {name: _unwrapped(one) for name, one in value.items()}
    return value


def _wrapped(value: Any) -> Any:
    if isinstance(value, Fake):
        return Handle(value)
    if isinstance(value, list):
        return [_wrapped(one) for one in value]
    return value


class Fake:
    """Base of what a handle can stand for."""

    CONSTANTS: ClassVar[dict[str, Any]] = {}

    def __init__(self, world: World) -> None:
        self.world = world

    def lacks(self, name: str) -> bool:
        """Whether this version of Resolve does not have a call that later ones have."""
        return False


class Resolve(Fake):
    CONSTANTS: ClassVar[dict[str, Any]] = {"EXPORT_OTIO": 17.0}

    def GetProductName(self) -> str:
        return self.world.product

    def GetVersion(self) -> list[Any]:
        return [*self.world.version, ""]

    def Fusion(self) -> None:
        """Only the global has the preferences here."""

    def GetProjectManager(self) -> ProjectManager:
        return ProjectManager(self.world)


class ProjectManager(Fake):
    def GetCurrentProject(self) -> Project:
        return Project(self.world)


class Project(Fake):
    def GetName(self) -> str:
        return self.world.project_name

    def GetMediaPool(self) -> MediaPool:
        return MediaPool(self.world)

    def GetSetting(self, name: str) -> str:
        assert name == "timelineFrameRate", name
        return self.world.rate_setting

    def GetTimelineCount(self) -> int:
        return len(self.world.timelines)

    def GetTimelineByIndex(self, index: int) -> FakeTimeline | None:
        assert index == int(index) >= 1, index
        return self.world.timelines[int(index) - 1]

    def GetCurrentTimeline(self) -> FakeTimeline | None:
        return self.world.current

    def SetCurrentTimeline(self, timeline: FakeTimeline) -> bool:
        assert timeline in self.world.timelines
        self.world.current = timeline
        return True


class Folder(Fake):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.items: list[MediaPoolItem] = []
        self.folders: list[Folder] = []

    name = "Master"

    def GetName(self) -> str:
        return self.name

    def GetClipList(self) -> list[MediaPoolItem]:
        return list(self.items)

    def GetSubFolderList(self) -> list[Folder]:
        return list(self.folders)


class Marked(Fake):
    """Anything that has markers: one for each frame."""

    num_frames: int

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.markers: dict[float, dict[str, Any]] = {}

    def AddMarker(
        self, frame: float, color: str, name: str, note: str, duration: float, custom: str = ""
    ) -> bool:
        assert color in COLORS, color
        assert isinstance(name, str)
        assert isinstance(note, str)
        assert isinstance(custom, str)
        assert frame == int(frame), frame
        assert duration >= 1
        if float(frame) in self.markers or not 0 <= frame < self.num_frames:
            return False
        self.markers[float(frame)] = {
            "color": color,
            "name": name,
            "note": note,
            "duration": float(duration),
            "customData": custom,
        }
        return True

    def GetMarkers(self) -> dict[float, dict[str, Any]]:
        return {frame: dict(marker) for frame, marker in self.markers.items()}

    def UpdateMarkerCustomData(self, frame: float, custom: str) -> bool:
        if float(frame) not in self.markers:
            return False
        self.markers[float(frame)]["customData"] = custom
        return True

    def DeleteMarkerAtFrame(self, frame: float) -> bool:
        return self.markers.pop(float(frame), None) is not None


class MediaPoolItem(Marked):
    def __init__(self, world: World, path: str | None) -> None:
        super().__init__(world)
        self.path = path
        """None for a compound clip, which has no file."""
        self.num_frames = world.media[path].num_frames if path else 100

    def GetClipProperty(self, name: str | None = None) -> Any:
        known = {"File Path": self.path or "", "Clip Name": Path(self.path or "compound").name}
        return dict(known) if name is None else known.get(name, "")


@dataclass(eq=False)
class Placed(Marked):
    """A TimelineItem; `at` counts from the start of the timeline."""

    world: World
    timeline: FakeTimeline
    source: MediaPoolItem | None
    at: int
    length: int
    start: int

    def __post_init__(self) -> None:
        self.markers = {}
        self.links: list[Placed] = []

    @property
    def num_frames(self) -> int:  # type: ignore[override]
        return self.start + self.length

    def GetStart(self, subframes: bool = False) -> int:
        return self.timeline.start + self.at

    def GetDuration(self, subframes: bool = False) -> int:
        return self.length

    def GetLeftOffset(self, subframes: bool = False) -> int:
        return self.start

    def GetSourceStartFrame(self) -> int:
        return self.start + 1  # as reported: off by one

    def GetMediaPoolItem(self) -> MediaPoolItem | None:
        return self.source


class FakeTimeline(Marked):
    def __init__(self, world: World, name: str, *, start: int, rate: Fraction) -> None:
        super().__init__(world)
        self.name, self.start, self.rate = name, start, rate
        self.tracks: dict[str, list[list[Placed]]] = {"video": [[]], "audio": [[]]}
        self.is_custom = False

    @property
    def num_frames(self) -> int:  # type: ignore[override]
        return max((item.at + item.length for item in self.items()), default=0)

    def items(self) -> Iterator[Placed]:
        for tracks in self.tracks.values():
            for track in tracks:
                yield from track

    def places(self, kind: str, track: int = 1) -> list[tuple[int, int, int]]:
        """What a track holds: (frame of the timeline, frame of the file, length)."""
        items = sorted(self.tracks[kind][track - 1], key=lambda item: item.at)
        return [(item.at, item.start, item.length) for item in items]

    def place(self, kind: str, track: int, item: Placed) -> bool:
        """Lay an item down; where another one is already, that one stays."""
        for other in self.tracks[kind][track - 1]:
            if other.at <= item.at < other.at + other.length:
                cut = other.at + other.length - item.at
                item.at, item.start, item.length = (
                    item.at + cut,
                    item.start + cut,
                    item.length - cut,
                )
            elif item.at < other.at < item.at + item.length:
                item.length = other.at - item.at
        if item.length <= 0:
            return False
        self.tracks[kind][track - 1].append(item)
        return True

    def GetName(self) -> str:
        return self.name

    def GetStartFrame(self) -> int:
        return self.start

    def GetSetting(self, name: str) -> str:
        assert name == "timelineFrameRate", name
        return next(text for text, rate in SETTINGS.items() if rate == self.rate)

    def SetSetting(self, name: str, value: str) -> bool:
        if name == "useCustomSettings":
            self.is_custom = value == "1"
            return True
        assert name == "timelineFrameRate", name
        # The rate of a timeline with clips on it cannot be changed.
        if not self.is_custom or list(self.items()) or value not in SETTINGS:
            return False
        self.rate = SETTINGS[value]
        return True

    def GetTrackCount(self, kind: str) -> int:
        return len(self.tracks[kind])

    def AddTrack(self, kind: str, sub_type: str | None = None) -> bool:
        assert kind in self.tracks
        assert (sub_type in ("mono", "stereo")) == (kind == "audio"), (kind, sub_type)
        self.tracks[kind].append([])
        return True

    def GetItemListInTrack(self, kind: str, index: int) -> list[Placed] | None:
        if not 1 <= index <= len(self.tracks[kind]):
            return None
        return list(self.tracks[kind][int(index) - 1])

    def GetCurrentVideoItem(self) -> Placed | None:
        return next(iter(self.tracks["video"][0]), None)

    def SetClipsLinked(self, items: list[Placed], linked: bool) -> bool:
        assert linked is True
        for item in items:
            item.links = [other for other in items if other is not item]
        return True

    def Export(self, path: str, kind: float, sub_type: Any = None) -> bool:
        assert kind == Resolve.CONSTANTS["EXPORT_OTIO"], kind
        if not Path(path).parent.is_dir():
            return False
        written = otio.schema.Timeline(self.name)
        track = otio.schema.Track("Video 1", kind="Video")
        rate = float(self.rate)
        at = 0
        for item in sorted(self.tracks["video"][0], key=lambda one: one.at):
            if item.at > at:
                track.append(
                    otio.schema.Gap(duration=otio.opentime.RationalTime(item.at - at, rate))
                )
            media = self.world.media[str(item.source and item.source.path)]
            track.append(
                otio.schema.Clip(
                    media_reference=otio.schema.ExternalReference(
                        str(item.source and item.source.path),
                        _range(media.start_frame, media.num_frames, media.rate),
                    ),
                    source_range=_range(media.start_frame + item.start, item.length, media.rate),
                )
            )
            at = item.at + item.length
        written.tracks.append(track)
        otio.adapters.write_to_file(written, path)
        return True


def _range(start: int, length: int, rate: Fraction) -> Any:
    return otio.opentime.TimeRange(
        otio.opentime.RationalTime(start, float(rate)),
        otio.opentime.RationalTime(length, float(rate)),
    )


class MediaPool(Fake):
    def lacks(self, name: str) -> bool:
        return name == "GetSelectedClips" and not self.world.has_selection_call

    def GetSelectedClips(self) -> list[MediaPoolItem]:
        return list(self.world.selected)

    def GetRootFolder(self) -> Folder:
        return self.world.root

    def AddSubFolder(self, folder: Folder, name: str) -> Folder:
        added = Folder(self.world)
        added.name = name
        folder.folders.append(added)
        return added

    def DeleteFolders(self, folders: list[Folder]) -> bool:
        for folder in folders:
            self.world.root.folders.remove(folder)
        return True

    def ImportMedia(self, paths: list[str]) -> list[MediaPoolItem]:
        assert isinstance(paths, list), paths
        known = [path for path in paths if path in self.world.media and Path(path).is_file()]
        return [self.world.add_media(path) for path in known]

    def _is_taken(self, name: str) -> bool:
        return name in [timeline.name for timeline in self.world.timelines]

    def CreateEmptyTimeline(self, name: str) -> FakeTimeline | None:
        if self._is_taken(name):
            return None
        start = 3600 * round(self.world.rate)
        timeline = FakeTimeline(self.world, name, start=start, rate=self.world.rate)
        self.world.timelines.append(timeline)
        return timeline

    def DeleteTimelines(self, timelines: list[FakeTimeline]) -> bool:
        for timeline in timelines:
            self.world.timelines.remove(timeline)
            if self.world.current is timeline:
                self.world.current = None
        return True

    def AppendToTimeline(self, clips: list[dict[str, Any]]) -> list[Placed]:
        timeline = self.world.current
        placed: list[Placed] = []
        for clip in clips:
            assert set(clip) <= {
                "mediaPoolItem",
                "startFrame",
                "endFrame",
                "mediaType",
                "trackIndex",
                "recordFrame",
            }, clip
            source = clip["mediaPoolItem"]
            assert isinstance(source, MediaPoolItem)
            media = self.world.media[source.path or ""]
            start, end = int(clip["startFrame"]), int(clip["endFrame"])
            end += 0 if self.world.exclusive_ends else 1
            kind = {1: "video", 2: "audio"}[clip["mediaType"]]
            track = int(clip["trackIndex"])
            if timeline is None or not 0 <= start < end <= media.num_frames:
                continue
            if track > len(timeline.tracks[kind]) or (kind == "audio" and not media.num_sounds):
                continue
            item = Placed(
                world=self.world,
                timeline=timeline,
                source=source,
                # Absolute: a relative one lands before the timeline.
                at=int(clip["recordFrame"]) - timeline.start,
                length=math.floor((end - start) * timeline.rate / media.rate),
                start=start,
            )
            if timeline.place(kind, track, item):
                placed.append(item)
        return placed

    def ImportTimelineFromFile(self, path: str, options: dict[str, Any]) -> FakeTimeline | None:
        known = {"timelineName", "importSourceClips", "sourceClipsPath", "sourceClipsFolders"}
        assert set(options) <= known, options
        if self.world.refuses_import or self.world.project_name == "Untitled Project":
            return None
        if path.endswith(self.world.refused_kinds):
            return None
        if not Path(path).is_file() or self._is_taken(options["timelineName"]):
            return None
        timeline = self._read(path, options)
        if timeline is None:
            return None
        timeline.name = options["timelineName"]
        if self.world.damages_import:
            self.world.damages_import(timeline)
        self.world.timelines.append(timeline)
        self.world.current = timeline
        return timeline

    def _read(self, path: str, options: dict[str, Any]) -> FakeTimeline | None:
        is_online = bool(options["importSourceClips"])
        if path.endswith(".fcpxml"):
            return _read_fcpxml(path, self.world, is_online=is_online)
        read = otio.adapters.read_from_file(path)
        if not all(_is_importable(clip, self.world) for clip in read.find_clips()):
            return None
        if not all(isinstance(track, otio.schema.Track) for track in read.tracks):
            return None
        timeline = FakeTimeline(
            self.world,
            read.name,
            start=round(read.global_start_time.rescaled_to(float(self.world.rate)).value),
            rate=self.world.rate,
        )
        timeline.tracks = {"video": [], "audio": []}
        for track in read.tracks:
            self._lay(timeline, track, is_online=is_online)
        return timeline

    def _lay(self, timeline: FakeTimeline, track: Any, *, is_online: bool) -> None:
        kind = track.kind.lower()
        timeline.tracks[kind].append([])
        for clip in track.find_clips():
            rate = float(timeline.rate)
            where = track.range_of_child(clip)
            path = clip.media_reference.target_url
            media = self.world.media[path]
            first = round(clip.source_range.start_time.value)
            at = round(where.start_time.rescaled_to(rate).value)
            item = Placed(
                world=self.world,
                timeline=timeline,
                source=self.world.add_media(path) if is_online else None,
                at=at,
                length=round(where.end_time_exclusive().rescaled_to(rate).value) - at,
                start=first - media.start_frame,
            )
            timeline.tracks[kind][-1].append(item)
            for marker in clip.markers:
                # customData and comments are dropped, a colour that it does not have becomes Blue.
                note = marker.metadata.get("Resolve_OTIO", {}).get("Note", "")
                frame = marker.marked_range.start_time.value - media.start_frame
                item.markers[float(frame)] = {
                    "color": OTIO_COLORS.get(marker.color, "Blue"),
                    "name": marker.name,
                    "note": note,
                    "duration": float(marker.marked_range.duration.value),
                    "customData": "",
                }


def _read_fcpxml(path: str, world: World, *, is_online: bool) -> FakeTimeline | None:
    """Read what Resolve takes of FCPXML: no markers, and one sound track of each clip."""
    root = ET.parse(path).getroot()
    sequence = root.find(".//sequence")
    if root.get("version") != "1.10" or sequence is None:
        return None
    seconds = _seconds(sequence.get("tcStart"))
    timeline = FakeTimeline(world, "", start=round(seconds * world.rate), rate=world.rate)
    assets = {asset.get("id"): asset for asset in root.iter("asset")}

    def lay(parent: ET.Element, zero: Fraction) -> bool:
        """Lay down the clips in an element; `zero` is the place of its clock's zero."""
        for clip in parent:
            if clip.tag not in ("asset-clip", "gap"):
                continue
            at = zero + _seconds(clip.get("offset"))
            if not lay(clip, at - _seconds(clip.get("start"))):
                return False
            if clip.tag == "gap":
                continue
            asset = assets[clip.get("ref")]
            (representation,) = asset.iter("media-rep")
            file = unquote(urlsplit(representation.get("src", "")).path)
            media = world.media.get(file)
            if media is None or not Path(file).is_file():
                return False
            start = (_seconds(clip.get("start")) - _seconds(asset.get("start"))) * media.rate
            length = _seconds(clip.get("duration"))
            if start < 0 or start + length * media.rate > media.num_frames:
                return False
            lane, used = int(clip.get("lane", 0)), clip.get("srcEnable", "all")
            kinds = {"video": lane, "audio": 0}
            if lane < 0 or used == "audio":
                del kinds["video"]
            if not media.num_sounds or used == "video":
                del kinds["audio"]
            for kind, track in kinds.items():
                while len(timeline.tracks[kind]) <= track:
                    timeline.tracks[kind].append([])
                first, stop = round(at * world.rate), round((at + length) * world.rate)
                item = Placed(
                    world=world,
                    timeline=timeline,
                    source=world.add_media(file) if is_online else None,
                    at=first,
                    length=stop - first,
                    start=round(start),
                )
                timeline.tracks[kind][track].append(item)
        return True

    return timeline if all(lay(spine, -seconds) for spine in sequence) else None


def _seconds(text: str | None) -> Fraction:
    return Fraction((text or "0s").removesuffix("s"))


def _is_importable(clip: Any, world: World) -> bool:
    reference = clip.media_reference
    path = reference.target_url
    # A bare path, never a URL; "%20" is not decoded.
    if path.startswith("file:") or not Path(path).is_file() or path not in world.media:
        return False
    media = world.media[path]
    if reference.available_range is None or clip.name != Path(path).name:
        return False
    first = round(clip.source_range.start_time.value)
    last = first + round(clip.source_range.duration.value)
    return media.start_frame <= first < last <= media.start_frame + media.num_frames


def lua_object(lua: Any, world: World) -> Any:
    """The `resolve` of a Lua script: lists are tables from 1, calls need ":"."""
    make = lua.eval("""function(constant, call)
      return setmetatable({}, {
        __index = function(self, name)
          local value = constant(name)
          if value ~= nil then return value end
          return function(first, ...) return call(name, rawequal(first, self), ...) end
        end,
        __newindex = function() error("a Resolve object cannot be written to") end,
      })
    end""")
    made: dict[int, Any] = {}
    back: list[tuple[Any, Handle]] = []

    def to_lua(value: Any) -> Any:
        if isinstance(value, Handle):
            fake = fake_of(value)
            if id(fake) not in made:
                made[id(fake)] = make(fake.CONSTANTS.get, lambda *a: call(value, *a))
                back.append((made[id(fake)], value))
            return made[id(fake)]
        if isinstance(value, list):
            return lua.table_from([to_lua(one) for one in value])
        if isinstance(value, dict):
            return lua.table_from({name: to_lua(one) for name, one in value.items()})
        return value

    same = lua.eval("rawequal")

    def to_python(value: Any) -> Any:
        if isinstance(value, (str, int, float, bool, type(None))):
            return value
        for table, handle in back:
            if same(table, value):
                return handle
        keys = list(value.keys())
        if keys == list(range(1, len(keys) + 1)):
            return [to_python(value[key]) for key in keys]
        return {key: to_python(value[key]) for key in keys}

    def call(handle: Handle, name: str, with_colon: bool, *arguments: Any) -> Any:
        if not with_colon:
            world.violations.append(f"{name} was called without a colon")
            raise TypeError(name)
        return to_lua(getattr(handle, name)(*[to_python(one) for one in arguments]))

    return to_lua(world.resolve)


BUILDS = ("menu", "strict", "console", "hollow")
"""Lua of the free edition from 21.1 on, as others measured it and as it might be.

"menu" has no io, require, package, ffi, debug and little of os, and print shows nothing. In
"strict" the objects of Resolve come through a metatable of _G that has errors for what is not
there. "console" still has ffi and dofile. In "hollow" the functions are there and do nothing.
"""
_KEPT_OF_OS = ("clock", "date", "difftime", "getenv", "time", "tmpname")


def set_stage(lua: Any, world: World, bmd: dict[str, Callable[..., Any]]) -> Any:
    """Give a Lua state what Resolve gives a script, and take away what its build takes away.

    Returns an environment for the script, or None where it has that of all.

    Args:
        lua: The state.
        world: The Resolve.
        bmd: Functions of the table `bmd`; `fileexists` is added.
    """
    made = lua.globals()
    made.resolve = lua_object(lua, world)
    made.bmd = lua.table_from({"fileexists": lambda path: Path(path).is_file()} | bmd)
    made.fusion = _fusion(lua, world)
    if world.has_windows:
        made.fusion.UIManager, made.bmd.UIDispatcher = _windows(lua, world)
    if world.build is None:
        return None
    made.print = lambda *words: None
    if world.build == "hollow":
        lua.execute("""
          io.open, os.execute, os.remove = function() end, function() end, function() end
          require = function() error("not allowed") end
        """)
        return None
    kept = ", ".join(f"{name} = os.{name}" for name in _KEPT_OF_OS)
    lua.execute(f"""
      local found, ffi = pcall(require, "ffi")
      io, require, package, debug, arg, python = nil, nil, nil, nil, nil, nil
      os = {{ {kept} }}
      if {str(world.build == "console").lower()} and found then _G.ffi = ffi else dofile = nil end
    """)
    if world.build == "strict":
        # Of the script alone: lupa itself needs the usual one.
        lua.execute("""
          local host, given = { resolve = resolve, fusion = fusion, bmd = bmd }, _G
          strict = { setfenv = setfenv }
          for name in ([[assert coroutine error getfenv getmetatable ipairs jit loadfile loadstring
            math next os pairs pcall print rawget select setmetatable string table tonumber tostring
            type unpack xpcall]]):gmatch("%a+") do strict[name] = given[name] end
          strict._G = strict
          setmetatable(strict, { __index = function(_, name)
            return host[name] or error("no global " .. tostring(name))
          end })
        """)
        return made.strict
    return None


def _fusion(lua: Any, world: World) -> Any:
    kept: dict[str, Any] = {"Global.Network.ServerName": "caf\u00e9 #1"}

    def set_prefs(name: str, value: Any) -> None:
        assert value.isascii(), value
        kept[name] = value

    def save_prefs() -> None:
        world.num_saves += 1
        if world.prefs is not None:
            lines = [f'\t{name.rpartition(".")[2]} = "{kept[name]}",' for name in kept]
            text = "{\n" + "\n".join(lines) + "\n}\n"
            # Windows has its code page there, and the others UTF-8: no reader may mind.
            part = world.prefs.with_suffix(".new")
            part.write_bytes(text.encode("cp1252"))
            part.replace(world.prefs)

    make = lua.eval("""function(set, save, map, show)
      local fusion, comp = {}, show and {}
      function fusion.SetPrefs(self, name, value) assert(self == fusion) set(name, value) end
      function fusion.SavePrefs(self) assert(self == fusion) save() end
      function fusion.MapPath(self, name) assert(self == fusion) return map(name) end
      function fusion.GetCurrentComp(self) assert(self == fusion) return comp end
      if comp then
        function comp.AskUser(self, title, fields)
          assert(self == comp and title == "hl" and fields[1][2] == "Text" and fields[1].ReadOnly)
          show(fields[1].Default)
          return {}
        end
      end
      return fusion
    end""")
    return make(
        set_prefs,
        save_prefs,
        lambda name: "/profile/" if name == "Profile:" else "",
        world.windows.append if world.has_dialogs else None,
    )


def _windows(lua: Any, world: World) -> Any:
    make = lua.eval("""function(show)
      local ui, words = {}, {}
      function ui.Label(self, fields) assert(self == ui) words[#words + 1] = fields.Text end
      function ui.Button(self) assert(self == ui) end
      function ui.VGroup(self) assert(self == ui) end
      return ui, function(manager)
        assert(manager == ui)
        local window, is_open = { On = { hl = {}, ok = {} } }, true
        function window.Show() show(table.concat(words)) end
        function window.Hide() end
        local dispatcher = {}
        function dispatcher.AddWindow() return window end
        function dispatcher.ExitLoop() is_open = false end
        function dispatcher.RunLoop()
          window.On.ok.Clicked()
          assert(not is_open)
        end
        return dispatcher
      end
    end""")
    return make(world.windows.append)
