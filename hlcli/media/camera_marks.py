"""Marks that somebody set while recording, or soon after: in the file, or in a log beside it.

* GoPro's HiLights: `moov/udta/HMMT`, a count and instants in milliseconds; from HERO6 on also GPMF
  in `moov/udta/GPMF`, where the device "HLMT" has one structure for each, with its kind (MANL is
  the button, others are what the camera found by itself) and how sure the camera is.
* Chapters of MP4, MOV and Matroska.
* Sony's shot marks, in the XML that the camera writes with each clip: C0001M01.XML of C0001.MP4.
* A log NAME.marks.txt or NAME.marks.csv beside NAME.mp4, one mark a line: `00:12:03 great laugh`.

Neither maker publishes these; they are read as public readers and public copies of such files
describe them. Everything here is somebody else's data, so whatever does not fit is left out, with a
line.
"""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from hlcli.errors import HlError
from hlcli.media.container import READ_ERRORS, open_media
from hlcli.media.discover import MayRead, any_file
from hlcli.media.probe import MediaInfo

LOG_SUFFIXES = (".marks.txt", ".marks.csv")
"""What the name of a log ends in, in place of the video's ending."""
_MOST_BOXES = 10_000
_MOST_BYTES = 16 << 20
_MOST_MARKS = 10_000
_MOST_DEPTH = 8
_SIZES = {
    "b": 1, "B": 1, "c": 1, "s": 2, "S": 2, "l": 4, "L": 4, "f": 4, "F": 4, "q": 4,
    "j": 8, "J": 8, "d": 8, "Q": 8, "G": 16, "U": 16,
}  # fmt: skip
_TYPE = "LLLllfFff"
"""The structure of a HiLight where the file does not say it: times, place, kind, two weights."""
_TIME_FIELD = 2
_ESSENCE_MARK = "060e2b34010101050301020a02000000"
"""The SMPTE label of a named mark."""
_SHOT_MARK = re.compile(r"_ShotMark(\d)")
_UNTITLED = re.compile(r"Chapter \d+")
_LINE = re.compile(
    r"[\"']?(?:(\d{1,3}):)?(\d{1,3}):(\d{2})(?:[.](\d{1,6})|[:;](\d{2,3}))?[\"']?(?:[\s,;]+(.*))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraMark:
    """One mark."""

    seconds: Fraction
    """When, from the first video frame."""
    name: str
    """What it is called: "HiLight", "Shot Mark 1", the title of a chapter, the words of a log."""
    confidence: float = 1.0
    """How sure a camera is of what it found by itself, in [0, 1]; 1 for a person."""


def has_log(video: Path) -> bool:
    """Whether a file of marks lies beside a video, which may have changed since it was read."""
    logs = [video.with_name(video.stem + suffix) for suffix in LOG_SUFFIXES]
    return any(log.is_file() for log in logs) or _sony_xml(video) is not None


def read_camera_marks(
    info: MediaInfo, may_read: MayRead = any_file
) -> tuple[list[CameraMark], list[str]]:
    """Return the marks of a video in the order of time, and a sentence for what cannot be used.

    Args:
        info: What `probe` said about it.
        may_read: Asked before a file beside it is opened.
    """
    found: list[CameraMark] = []
    problems: list[str] = []
    for what, read in (
        ("its HiLight tags", _hilights),
        ("its chapters", _chapters),
        ("the marks of its Sony XML", _shot_marks),
        ("the log of marks beside it", _log),
    ):
        try:
            found += read(info, may_read)
        except (*READ_ERRORS, HlError, struct.error, ET.ParseError) as error:
            problems.append(f"{what} cannot be read: {error}")
    if any(mark.name.startswith("HiLight") for mark in found):
        # FFmpeg reads GoPro's HMMT as chapters, too, without titles.
        found = [mark for mark in found if not _UNTITLED.fullmatch(mark.name)]
    inside = [mark for mark in found if 0 <= mark.seconds < info.duration_seconds]
    if len(inside) < len(found):
        problems.append(
            f"{len(found) - len(inside)} of {len(found)} marks lie outside the video: left out"
        )
    unique = {(mark.seconds, mark.name): mark for mark in inside}
    return sorted(unique.values(), key=lambda mark: mark.seconds)[:_MOST_MARKS], problems


def _hilights(info: MediaInfo, may_read: MayRead) -> Iterator[CameraMark]:
    if "mov" not in info.container:
        return
    with info.path.open("rb") as stream:
        size = info.path.stat().st_size
        moov = next((span for kind, *span in _boxes(stream, 0, size) if kind == b"moov"), None)
        for udta_kind, *udta in _boxes(stream, *moov) if moov else ():
            if udta_kind != b"udta":
                continue
            boxes = {kind: span for kind, *span in _boxes(stream, *udta)}
            marks = []
            if b"GPMF" in boxes:
                marks = list(_structured(_content(stream, *boxes[b"GPMF"])))
            if b"HMMT" in boxes and not marks:
                marks = list(_counted(_content(stream, *boxes[b"HMMT"])))
            yield from marks


def _boxes(stream: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the content of each box between two places of a file."""
    for _ in range(_MOST_BOXES):
        if start + 8 > end:
            return
        stream.seek(start)
        size, kind = struct.unpack(">I4s", stream.read(8))
        header = 8
        if size == 1:
            (size,) = struct.unpack(">Q", stream.read(8))
            header = 16
        elif size == 0:
            size = end - start
        if size < header or start + size > end:
            return
        yield kind, start + header, start + size
        start += size


def _content(stream: BinaryIO, start: int, end: int) -> bytes:
    stream.seek(start)
    return stream.read(min(end - start, _MOST_BYTES))


def _counted(data: bytes) -> Iterator[CameraMark]:
    """HMMT: how many, then the instants in milliseconds; unused places are 0."""
    (count,) = struct.unpack_from(">I", data)
    for (milliseconds,) in struct.iter_unpack(">I", data[4 : 4 + 4 * min(count, _MOST_MARKS)]):
        if milliseconds:
            yield CameraMark(seconds=Fraction(milliseconds, 1000), name="HiLight")


def _structured(data: bytes, types: str = _TYPE, depth: int = 0) -> Iterator[CameraMark]:
    """GPMF: key, kind, size and number of what follows, padded to four bytes; kind 0 nests."""
    at = 0
    while at + 8 <= len(data) and depth < _MOST_DEPTH:
        key, kind, size, repeat = struct.unpack_from(">4scBH", data, at)
        content = data[at + 8 : at + 8 + size * repeat]
        at += 8 + -(-size * repeat // 4) * 4
        if kind == b"\0":
            yield from _structured(content, types, depth + 1)
        elif key == b"TYPE":
            types = content.rstrip(b"\0").decode("ascii", "replace")
        elif key == b"HLMT" and kind == b"?":
            for start in range(0, len(content) - size + 1, max(1, size)):
                yield from _one_structured(content[start : start + size], types)


def _one_structured(data: bytes, types: str) -> Iterator[CameraMark]:
    offsets, at = [], 0
    for letter in types:
        offsets.append(at)
        at += _SIZES.get(letter, 4)
    kind_field = types.find("F")
    if at > len(data) or kind_field <= _TIME_FIELD or not types.startswith("LLL"):
        return
    (milliseconds,) = struct.unpack_from(">I", data, offsets[_TIME_FIELD])
    kind = data[offsets[kind_field] : offsets[kind_field] + 4].decode("ascii", "replace")
    confidence = 1.0
    if types[kind_field + 1 : kind_field + 2] == "f" and kind != "MANL":
        (confidence,) = struct.unpack_from(">f", data, offsets[kind_field + 1])
        confidence = min(1.0, max(0.0, confidence)) if confidence == confidence else 1.0
    if milliseconds:
        name = "HiLight" if kind == "MANL" else f"HiLight {kind}"
        yield CameraMark(
            seconds=Fraction(milliseconds, 1000), name=name, confidence=round(confidence, 3)
        )


def _chapters(info: MediaInfo, may_read: MayRead) -> Iterator[CameraMark]:
    with open_media(info.path) as container:
        for number, chapter in enumerate(container.chapters(), start=1):
            at = chapter["start"] * (chapter["time_base"] or Fraction(1))
            title = str(chapter["metadata"].get("title", "")).strip() or f"Chapter {number}"
            # One that begins with the video marks nothing.
            if at > info.video_start_seconds:
                yield CameraMark(seconds=at - info.video_start_seconds, name=title)


def _sony_xml(video: Path) -> Path | None:
    """Return the XML that a Sony camera wrote with a clip; None without one.

    It lies beside the clip, or in the folder for clips of the card that the clip lies on.
    """
    names = [f"{video.stem}{ending}" for ending in ("M01.XML", "M01.xml", "m01.xml")]
    card = video.parent.parent
    folders = [video.parent]
    for below in ("M4ROOT/CLIP", "PRIVATE/M4ROOT/CLIP", "XDROOT/Clip", "Clip"):
        folders += [video.parent / below, card / below]
    folders.append(card / "CLIP")
    # Most of these folders are not there, and a share answers each question in a millisecond.
    return next((folder / name for folder in folders if folder.is_dir() for name in names
                 if (folder / name).is_file()), None)  # fmt: skip


def _shot_marks(info: MediaInfo, may_read: MayRead) -> Iterator[CameraMark]:
    """Each mark is a KlvPacket: the frame it is at, and its name in hexadecimal after its length.

    Names that begin with an underscore are the camera's own notes (_RecStart) but for shot marks;
    others were given by the person who planned the shooting.
    """
    path = _sony_xml(info.path)
    if path is None:
        return
    with may_read(path).open("rb") as stream:
        data = stream.read(_MOST_BYTES)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise ValueError(f"{path.name} defines entities, which no camera does")
    for packet in ET.fromstring(data).iterfind(".//{*}KlvPacketTable/{*}KlvPacket"):
        if packet.get("key", _ESSENCE_MARK).lower() != _ESSENCE_MARK:
            continue
        try:
            frame = int(packet.get("frameCount", ""))
            value = bytes.fromhex(packet.get("lengthValue", ""))
        except ValueError as error:
            raise ValueError(f"a mark of {path.name} has no frame or no name: {error}") from error
        name = value[1 : 1 + value[0]].decode("utf-8", "replace").strip() if value else ""
        shot_mark = _SHOT_MARK.fullmatch(name)
        if name.startswith("_") and shot_mark is None:
            continue
        yield CameraMark(
            seconds=frame / info.frame_rate,
            name=f"Shot Mark {shot_mark[1]}" if shot_mark else name[:200] or "mark",
        )


def _log(info: MediaInfo, may_read: MayRead) -> Iterator[CameraMark]:
    for suffix in LOG_SUFFIXES:
        log = info.path.with_name(info.path.stem + suffix)
        if not log.is_file():
            continue
        with may_read(log).open("rb") as stream:
            text = stream.read(_MOST_BYTES).decode("utf-8-sig", "replace")
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            parts = _LINE.fullmatch(line.strip())
            if parts is None and number > 1:  # the first may be a heading
                raise ValueError(f"line {number} of {log.name} begins with no time like 00:12:03")
            if parts is not None:
                yield _of_line(parts, info)


def _of_line(parts: re.Match[str], info: MediaInfo) -> CameraMark:
    hours, minutes, seconds, decimals, frames, words = parts.groups()
    at = Fraction(int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds))
    if decimals:
        at += Fraction(int(decimals), 10 ** len(decimals))
    if frames:
        at += int(frames) / info.frame_rate
    name = " ".join((words or "").strip("\"' ").split())[:200]
    return CameraMark(seconds=at, name=name or "mark")
