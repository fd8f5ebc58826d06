"""Measure what engines make of our timelines, and write the table of docs/reference/formats.md.

    scripts/proof             prints the table
    scripts/proof --write     puts it into docs/reference/formats.md

Numbered footage of every rate is cut, written in every format, and rendered by an engine or read by
a library that is not ours; the frames and the sound are compared with the edit list. What is not
installed says so in its column.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib.metadata
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from hlcli.atomic import write_text
from hlcli.errors import HlError
from hlcli.timeline.build import build_edit_list
from hlcli.timeline.edit_list import EditList
from hlcli.timeline.formats import FORMATS, module_of
from hlcli.timeline.timecode import frame_at

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))

import engines  # noqa: E402
from engine_proof import Footages, footage_document, judge  # noqa: E402
from numbered_footage import RATES, SAMPLE_RATE, Footage  # noqa: E402

PAGE = ROOT / "docs/reference/formats.md"
START, END = "<!-- proof -->\n", "<!-- /proof -->"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One way from an edit list to something that can be compared with it."""

    suffix: str
    """What is written; ".mov" for the film of `hl render`."""
    reader: str
    """Who renders or reads it, with its version."""
    missing: bool
    """Whether that is not installed."""
    check: Callable[[EditList, Footages, Path], str]
    """Returns the words of a cell, from the edit list, the footage and the written file."""


def columns() -> list[Column]:
    """Return the columns of the table."""
    melt, blender = engines.version("melt"), engines.version("blender")
    return [
        Column(suffix=".mlt", reader=f"melt {melt}", missing=melt is None, check=_with_melt),
        Column(suffix=".kdenlive", reader=f"melt {melt}", missing=melt is None, check=_with_melt),
        Column(
            suffix=".otio",
            reader=f"Blender {blender}",
            missing=not engines.blender_reads_otio(),
            check=_with_blender,
        ),
        *(
            Column(
                suffix=suffix,
                reader=f"{package} {_package_version(package)}",
                missing=_package_version(package) is None,
                check=_with_adapter(adapter),
            )
            for suffix, package, adapter in (
                (".xml", "otio-fcp-adapter", "fcp_xml"),
                (".edl", "otio-cmx3600-adapter", "cmx_3600"),
                (".aaf", "otio-aaf-adapter", "AAF"),
            )
            if suffix in FORMATS
        ),
        Column(suffix=".fcpxml", reader="plain XML", missing=False, check=_as_xml),
        Column(suffix=".mov", reader="`hl render`", missing=False, check=_with_render),
    ]


def table() -> str:
    """Render and read everything; return the table and the words under it, in Markdown."""
    shown = columns()
    rows = [
        ["rate", *(f"`{column.suffix}`" for column in shown)],
        ["", *(column.reader for column in shown)],
    ]
    cells = {rate: [_cell(column, footage) for column in shown] for rate, footage in RATES.items()}
    rows += [[rate, *row] for rate, row in cells.items()]
    rows.insert(1, ["---"] * len(rows[0]))
    text = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    today = datetime.datetime.now(tz=datetime.timezone.utc).date()
    return f"{text}\n\nMeasured {today} by `scripts/proof --write`.\n{_LEGEND}\n"


_LEGEND = """
Exact: every frame is the one the timeline names, none is missing or too many, and the sound lies
within a sample; Blender renders no sound here. Libraries are asked for cuts: frame of the source,
length, place. For FCPXML there is no library that keeps fractions of a second exact, so it is read
as plain XML. The EDL library refuses drop-frame at a whole 30. DF is drop-frame, NDF is not; most
footage starts at a timecode of its own.

Sound in the footage is stored frame by frame. Where a cut divides a packet of sound, as in AAC, MLT
7.12 starts it up to 13 ms early, with any project: it drops the head of the packet twice. In a
variable-rate source MLT takes the frame before or after, and does not drift."""


def _cell(column: Column, footage: Footage) -> str:
    if column.missing:
        return "not here"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        document, footages = footage_document(folder, footage)
        edit = build_edit_list([document], name="reel")
        path = folder / f"reel{column.suffix}"
        try:
            if column.suffix in FORMATS:
                entry = FORMATS[column.suffix]
                module = module_of(entry.write)
                module.write(edit, path, target=entry.targets[0])
            return column.check(edit, footages, path)
        except HlError as error:
            return f"refused: {error.message}"


def _with_melt(edit: EditList, footages: Footages, path: Path) -> str:
    rendered = path.with_name("rendered.mov")
    engines.render_with_melt(path, rendered)
    return _words(edit, footages, rendered)


def _with_blender(edit: EditList, footages: Footages, path: Path) -> str:
    if any(event.source.is_variable_rate for event in edit.events):
        return "no: it plays frames, not time"
    rendered = path.with_name("rendered.mp4")
    engines.render_with_blender(path, rendered)
    return _words(edit, footages, rendered, sound=False)


def _with_render(edit: EditList, footages: Footages, path: Path) -> str:
    from hlcli.rendering.film import render
    from hlcli.rendering.settings import RenderSettings

    render(edit, path, settings=RenderSettings())
    return _words(edit, footages, path)


def _words(edit: EditList, footages: Footages, rendered: Path, *, sound: bool = True) -> str:
    if not sound:
        silent = tuple(dataclasses.replace(event, sound=()) for event in edit.events)
        edit = dataclasses.replace(edit, events=silent)
    verdict = judge(edit, footages, rendered)
    words = []
    if verdict.num_rendered != verdict.num_frames:
        words.append(f"{verdict.num_rendered - verdict.num_frames:+d} frames")
    if verdict.wrong:
        off = max(abs((seen or 0) - (right or 0)) for _, right, seen in verdict.wrong)
        words.append(f"{len(verdict.wrong)} of {verdict.num_frames} frames off by {off}")
    if sound:
        if None in verdict.lags:
            words.append("sound missing")
        else:
            most = max((lag for lag in verdict.lags if lag is not None), key=abs, default=0)
            if abs(most) > 1:
                words.append(f"sound off by {1000 * most / SAMPLE_RATE:+.1f} ms")
    return "; ".join(words) or "exact"


def _with_adapter(adapter: str) -> Callable[[EditList, Footages, Path], str]:
    def check(edit: EditList, _footages: Footages, path: Path) -> str:
        options = {"rate": float(edit.frame_rate)} if adapter == "cmx_3600" else {}
        try:
            found = otio.adapters.read_from_file(str(path), adapter, **options)
        except ValueError:
            return "the library refuses it"
        tracks = found.find_children(descended_from_type=otio.schema.Track)
        track = next(track for track in tracks if track.kind == otio.schema.TrackKind.Video)
        expected = [(e.frames.start, len(e.frames), e.record.start) for e in edit.events]
        read = [_read_cut(clip, edit) for clip in track.find_clips()]
        wrong = sum(a != b for a, b in zip(expected, read, strict=False))
        wrong += abs(len(expected) - len(read))
        return f"{wrong} of {len(expected)} cuts elsewhere" if wrong else "exact cuts"

    return check


def _as_xml(edit: EditList, _footages: Footages, path: Path) -> str:
    def seconds(text: str | None) -> Fraction:
        return Fraction((text or "0s").removesuffix("s"))

    root = ET.parse(path).getroot()
    starts = {asset.get("id"): seconds(asset.get("start")) for asset in root.iter("asset")}
    read = [
        (
            (seconds(clip.get("start")) - starts[clip.get("ref")]) * edit.frame_rate,
            seconds(clip.get("duration")) * edit.frame_rate,
            seconds(clip.get("offset")) * edit.frame_rate,
        )
        for clip in root.iter("asset-clip")
    ]
    expected = [
        (Fraction(e.frames.start), Fraction(len(e.frames)), Fraction(e.record.start))
        for e in edit.events
    ]
    return "exact cuts" if read == expected else "cuts elsewhere"


def _read_cut(clip: otio.schema.Clip, edit: EditList) -> tuple[int, int, int]:
    source = edit.events[0].source
    own, media = clip.source_range, clip.media_reference
    start = own.start_time
    origin = source.start_frame
    if media.available_range is not None:
        origin = round(media.available_range.start_time.rescaled_to(start.rate).value)
    record = clip.range_in_parent().start_time
    return (
        round(start.value) - origin,
        round(own.duration.value),
        frame_at(record.to_seconds(), edit.frame_rate),
    )


def _package_version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def main() -> int:
    """Print or write the table; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    text = table()
    print(text)
    print(engines.summary())
    if arguments.write:
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(START)
        _, end, after = rest.partition(END)
        if not end:
            print(f"{PAGE} has no {START.strip()} ... {END}", file=sys.stderr)
            return 1
        write_text(PAGE, before + START + text + END + after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
