"""Rules for Final Cut Pro 7 XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

from hlcli.timeline.check.findings import Findings
from hlcli.timeline.check.media_paths import check_names, check_path, check_url
from hlcli.timeline.check.rates import check_timeline_rate
from hlcli.timeline.read.bounds import xml_root
from hlcli.timeline.timecode import format_timecode, parse_timecode

_NTSC = Fraction(1000, 1001)


def check(path: Path, findings: Findings) -> None:
    """Check one file.

    Raises:
        TimelineError: It is no Final Cut Pro 7 XML.
    """
    root = xml_root(path, "xmeml", title="Final Cut Pro 7 XML")
    holders = [root, *root.findall("./project/children"), *root.findall(".//bin/children")]
    sequences = [sequence for holder in holders for sequence in holder.findall("sequence")]
    if not sequences:
        findings.add("xml-sequence-place", path.name, "no <sequence> where one is looked for")
        sequences = list(root.iter("sequence"))[:1]
    for ntsc in root.iter("ntsc"):
        if ntsc.text not in ("TRUE", "FALSE"):
            findings.add("xml-ntsc", path.name, f"<ntsc>{ntsc.text}</ntsc>", once=str(ntsc.text))
    for sequence in sequences:
        _Sequence(sequence, findings).check()


class _Sequence:
    """One `<sequence>`."""

    def __init__(self, element: ET.Element, findings: Findings) -> None:
        self._element = element
        self._findings = findings
        self._name = element.findtext("name") or ""
        self._rate = _rate(element)
        self._files: dict[str, ET.Element] = {}
        self._paths: dict[str, str] = {}
        for file in element.iter("file"):
            if len(file):
                self._files[file.get("id", "")] = file

    def check(self) -> None:
        """Check everything in it."""
        findings, called = self._findings, self._name or "the sequence"
        if not self._name:
            findings.add("name-missing", called, "it has no name")
        if self._rate is None:
            findings.add("xml-empty-field", called, "it has no <rate>")
            return
        check_timeline_rate(self._rate, called, findings)
        style = self._element.find("media/video/format/samplecharacteristics")
        if style is None or not style.findtext("width") or not style.findtext("height"):
            findings.add("xml-format-missing", called, "its <format> has no size")
        for identifier, file in self._files.items():
            self._check_file(identifier, file)
        check_names(list(dict.fromkeys(self._paths.values())), findings)
        items: list[tuple[ET.Element, str]] = []
        for kind in ("video", "audio"):
            for number, track in enumerate(self._element.findall(f"media/{kind}/track"), start=1):
                items += self._check_track(track, f"{kind[0].upper()}{number}")
        if not items:
            findings.add("no-clip", called, "the sequence has no clip")
        self._check_links(items)

    def _check_file(self, identifier: str, file: ET.Element) -> None:
        findings = self._findings
        where = f"{file.findtext('name') or identifier}"
        rate = _rate(file)
        if rate is None or not file.findtext("duration"):
            findings.add("xml-empty-field", where, "the <file> lacks its <rate> or <duration>")
        url = file.findtext("pathurl") or ""
        path = (
            check_path(url, where, findings)
            if not url.lower().startswith("file:")
            else (check_url(url, where, findings))
        )
        self._paths[identifier] = path
        facts = findings.media(path, where) if path else None
        timecode = file.find("timecode")
        if timecode is None:
            findings.add("xml-timecode-missing", where, "the <file> has no <timecode>")
            return
        label, frame = timecode.findtext("string") or "", timecode.findtext("frame") or ""
        counted = _rate(timecode) or rate or self._rate
        assert counted is not None
        drop = timecode.findtext("displayformat") == "DF"
        try:
            at = int(frame)
            agrees = parse_timecode(label, counted) == at and (";" in label) == drop
            shown = format_timecode(at, counted, drop_frame=drop)
        except ValueError:
            agrees, at, shown = False, -1, "?"
        if not agrees:
            findings.add(
                "xml-timecode-differs", where, f"{label} is not frame {frame}, which is {shown}"
            )
        elif facts is not None and facts.frame_rate == counted and facts.start_frame != at:
            findings.add(
                "xml-timecode-differs",
                where,
                f"it starts at frame {at}, the file at {facts.start_frame}",
            )
        stated = [_number(track, "channelcount") or 1 for track in file.findall("media/audio")]
        if facts is not None and sum(stated) != sum(facts.channels):
            findings.add(
                "channels-differ",
                where,
                f"it states {sum(stated)} channels, the file has {sum(facts.channels)}",
            )

    def _check_track(self, track: ET.Element, name: str) -> list[tuple[ET.Element, str]]:
        findings = self._findings
        assert self._rate is not None
        items = []
        before: int | None = None
        for item in track.findall("clipitem"):
            start, end = _number(item, "start"), _number(item, "end")
            label = (
                ""
                if start is None or start < 0
                else format_timecode(start, self._rate, drop_frame=False)
            )
            where = f"{name} {label} {item.findtext('name') or ''}".strip()
            items.append((item, where))
            if _rate(item) is None or _number(item, "duration") is None:
                findings.add("xml-empty-field", where, "the clip lacks its <rate> or <duration>")
            first, last = _number(item, "in"), _number(item, "out")
            if start is None or end is None or first is None or last is None or min(start, end) < 0:
                continue  # Beside a transition Final Cut writes -1.
            if before is not None and start < before:
                findings.add("clips-overlap", where, f"it starts {before - start} frames early")
            elif before is not None and start == before + 1:
                findings.add("gap-of-one-frame", where, "one black frame before it")
            before = max(before or 0, end)
            if end - start != last - first:
                findings.add(
                    "lengths-differ",
                    where,
                    f"{end - start} frames on the timeline, {last - first} of the source",
                )
            self._check_range(item, first, last, where)
        return items

    def _check_range(self, item: ET.Element, first: int, last: int, where: str) -> None:
        reference = item.find("file")
        file = None if reference is None else self._files.get(reference.get("id", ""))
        rate, file_rate = _rate(item), None if file is None else _rate(file)
        length = None if file is None else _number(file, "duration")
        if file is None or rate is None or file_rate is None or length is None:
            return
        available = length / file_rate
        facts = self._findings.media(self._paths.get(file.get("id", ""), ""), where)
        if facts is not None:
            available = min(available, facts.duration_seconds)
        # In and out count at the clip's rate; a file of another may end within the last frame.
        if first < 0 or last <= first or last / rate >= available + 1 / min(rate, file_rate):
            self._findings.add(
                "range-outside",
                where,
                f"it takes frames {first} to {last}, the file ends at {float(available * rate):g}",
            )

    def _check_links(self, items: list[tuple[ET.Element, str]]) -> None:
        findings = self._findings
        ids = [item.get("id", "") for item, _ in items]
        known = set(ids)
        first = {name: index for index, name in reversed(list(enumerate(ids)))}
        sounds = {
            (self._path_of(item), item.findtext("start"), item.findtext("end"))
            for item, where in items
            if where.startswith("A")
        }
        for index, (item, where) in enumerate(items):
            if ids[index] and first[ids[index]] != index:
                findings.add("xml-id-repeated", where, f"the id {ids[index]} is another clip's")
            links = [link.findtext("linkclipref") or "" for link in item.findall("link")]
            for link in links:
                if link not in known:
                    findings.add("link-dangling", where, f"it links to {link!r}")
            if where.startswith("V"):
                place = (self._path_of(item), item.findtext("start"), item.findtext("end"))
                if place in sounds:
                    if not set(links) - {ids[index]}:
                        findings.add("link-missing", where, "it is not linked to its sound")
                elif self._has_sound(item):
                    findings.add("sound-missing", where, "its file has sound, none lies beside it")

    def _has_sound(self, item: ET.Element) -> bool:
        reference = item.find("file")
        file = None if reference is None else self._files.get(reference.get("id", ""))
        return file is not None and file.find("media/audio") is not None

    def _path_of(self, item: ET.Element) -> str:
        reference = item.find("file")
        return "" if reference is None else self._paths.get(reference.get("id", ""), "")


def _rate(element: ET.Element) -> Fraction | None:
    """Return the rate of an element; None without one."""
    timebase = element.findtext("rate/timebase") or ""
    if not timebase.strip().isdigit() or int(timebase) == 0:
        return None
    is_ntsc = (element.findtext("rate/ntsc") or "").upper() == "TRUE"
    return int(timebase) * (_NTSC if is_ntsc else Fraction(1))


def _number(element: ET.Element, tag: str) -> int | None:
    try:
        return int(element.findtext(tag) or "")
    except ValueError:
        return None
