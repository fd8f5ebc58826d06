"""Damaged timelines of every kind, scores documents, marks, recipes and model files."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import random
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
from edit_list_factory import CASES
from media_factory import make_video

from fuzz_parts.runner import outcome
from hlcli.document import read_documents
from hlcli.errors import HlError
from hlcli.finetune.cut import read_cut
from hlcli.finetune.footage import Footage
from hlcli.finetune.marks import read_marks
from hlcli.model.exchange import export_model
from hlcli.timeline.check import SUFFIXES, check_timeline
from hlcli.timeline.formats import write_format
from hlcli.timeline.read import READERS, read_timeline
from hlcli.training.recipe import read_recipe
from hlcli.zoo.archive import open_archive

ROOT = Path(__file__).resolve().parents[2]
_NUMBERS = (
    "0", "-1", "nan", "inf", "-inf", "1e400", "1e-400", "1e308", "0.1", "-0", "9" * 30, "9" * 400,
    "9" * 5_000, "1/0", "true", "null", '"x"', "", "0x10", "1001/0s", "-1e400s", "2147483648",
    "99999999999999999999", "1.7976931348623157e308", "4294967295", "00:00:00:99", "all",
)  # fmt: skip
_WORDS = (
    "", "a" * 300, "a" * 6_000, "..", ".", "/", "/dev/zero", "file://%FF%FE", "file:///%00",
    "http://127.0.0.1:9/a.mp4", "file://host/a.mp4", "\\\\server\\a.mov", "C:\\a.mov", "\u0000",
    "\ud7ff\uffff", "[" * 400, "{" * 400, "<a>" * 400, "&#x41;", "&a;", "%s%n", "é" * 200, "\n",
)  # fmt: skip
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_QUOTED = re.compile(rb'"[^"<>]{0,400}"|>[^<>]{1,400}<')
_LINE = re.compile(rb"[^\n]*\n")
_ELEMENT = re.compile(rb"<(\w[\w-]*)[^<>]*>.*?</\1>", re.S)
_MARKS = b"""file,start,end,label
a.mov,0:00.5,1.5,keep
a.mov,00:00:01:00,00:00:01:12,drop
b.mov,1,2,keep
"""
_RECIPE_FOLDER = ROOT / "model_zoo/recipes"


@contextlib.contextmanager
def prepared() -> Iterator[TimelineMaker]:
    """Yield a maker with everything that files are made from."""
    with tempfile.TemporaryDirectory(prefix="hl-fuzz-") as name:
        folder = Path(name)
        os.environ["HL_CACHE_DIR"] = str(folder / "cache")
        yield TimelineMaker(folder)


class TimelineMaker:
    """Damages seeds of every kind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "media").mkdir()
        for file in ("a.mov", "b.mov"):
            make_video(folder / "media", name=file, rate=Fraction(25), num_frames=50)
        self.footage = Footage([str(folder / "media")])
        self.seeds = self._seeds()
        self.kinds = sorted(self.seeds)
        for module in set(READERS.values()):
            importlib.import_module(module)
        # Loads what is loaded once, before the children are forked.
        for kind in self.kinds:
            path = folder / f"warm{kind}"
            path.write_bytes(self.seeds[kind][0])
            self.read(path)

    def _seeds(self) -> dict[str, list[bytes]]:
        seeds: dict[str, list[bytes]] = {}
        for path in sorted((ROOT / "tests/golden").rglob("*")):
            if path.suffix in (*READERS, ".json"):
                seeds.setdefault(path.suffix, []).append(path.read_bytes())
        for name in sorted(CASES):
            path = self.folder / "seed.aaf"
            with contextlib.suppress(HlError):  # of other rates than the timeline
                write_format(path, CASES[name].documents, target=None, layout=CASES[name].layout)
                seeds.setdefault(".aaf", []).append(path.read_bytes())
        self.bundled = _timeline_of("media/a.mov")
        seeds[".otioz"] = [self._bundle(self.bundled)]
        seeds[".csv"] = [_MARKS]
        seeds[".toml"] = [path.read_bytes() for path in sorted(_RECIPE_FOLDER.glob("*.toml"))]
        export_model("subspace", self.folder / "seed.hlmodel")
        seeds[".hlmodel"] = [(self.folder / "seed.hlmodel").read_bytes()]
        return seeds

    def _bundle(self, text: bytes) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bundle:
            bundle.writestr("version.txt", "1.0.0")
            bundle.writestr("content.otio", text)
            bundle.write(self.folder / "media/a.mov", "media/a.mov")
        return stream.getvalue()

    def make(self, seed: int, number: int) -> Path:
        """Write the file of a number; the same seed and number give the same file."""
        draw = random.Random(f"{seed}/{number}")
        kind = self.kinds[number % len(self.kinds)]
        data = draw.choice(self.seeds[kind])
        if kind == ".otioz" and draw.random() < 0.6:
            data = self._bundle(damaged(self.bundled, draw))
        else:
            is_text = kind not in (".aaf", ".otioz", ".hlmodel")
            others = self.seeds[kind]
            data = damaged(data, draw, others=others) if is_text else spoilt(data, draw, others)
        path = self.folder / f"{seed}-{number}{kind}"
        path.write_bytes(data)
        return path

    def read(self, path: Path) -> list[str]:
        """Read a file in every way in which `hl` would."""
        calls: list[Callable[[], object]] = []
        suffix = path.suffix
        if suffix in READERS:
            calls += [
                lambda: read_timeline(path, search=[self.folder / "media"]),
                lambda: read_cut(path, self.footage),
            ]
            if suffix in (".otio", ".xml", ".edl"):
                calls.append(lambda: read_marks(path, self.footage))
        if suffix in SUFFIXES:
            calls += [
                lambda: check_timeline(path, target="resolve"),
                lambda: check_timeline(path, target="premiere"),
            ]
        if suffix == ".json":
            calls.append(lambda: read_documents(path))
        if suffix == ".csv":
            calls.append(lambda: read_marks(path, self.footage))
        if suffix == ".toml":
            calls.append(lambda: read_recipe(path, []))
        if suffix == ".hlmodel":
            calls.append(lambda: _opened(path))
        return [outcome(call) for call in calls]


def _timeline_of(url: str) -> bytes:
    """Return OpenTimelineIO JSON of two cuts of a file."""

    def span(start: int, count: int) -> otio.opentime.TimeRange:
        time = otio.opentime.RationalTime
        return otio.opentime.TimeRange(time(start, 25), time(count, 25))

    clips = [
        otio.schema.Clip(
            name="a",
            source_range=span(start, 10),
            media_reference=otio.schema.ExternalReference(url, available_range=span(0, 50)),
        )
        for start in (0, 20)
    ]
    timeline = otio.schema.Timeline(name="x")
    timeline.tracks.append(otio.schema.Track(name="V1", children=clips))
    return timeline.to_json_string().encode()


def _opened(path: Path) -> None:
    with open_archive(path):
        pass


def spoilt(data: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    """Return bytes with some changed, left out, repeated or from another file."""
    result = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4, 16))):
        at = draw.randrange(len(result) or 1)
        # Headers and lists of members stand at both ends.
        at = draw.choice(
            (at, min(at, draw.randrange(600)), max(0, len(result) - draw.randrange(1, 600)))
        )
        length = draw.choice((1, 2, 4, 8, 64, 512))
        way = draw.randrange(7)
        if way == 0:
            result[at : at + 1] = bytes([draw.randrange(256)])
        elif way == 1:
            result[at : at + length] = draw.choice((b"\0", b"\xff")) * length
        elif way == 2:
            del result[at : at + length]
        elif way == 3:
            result[at:at] = result[at : at + length] * draw.choice((1, 3, 100))
        elif way == 4:
            del result[at:]
        elif way == 5:
            other = draw.choice(others)
            start = draw.randrange(len(other))
            result[at : at + length] = other[start : start + length]
        else:
            result[at : at + length] = draw.randbytes(length)
    return bytes(result)


def damaged(data: bytes, draw: random.Random, others: list[bytes] | None = None) -> bytes:
    """Return text with numbers, words, lines or elements that nobody expects."""
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
        way = draw.randrange(10)
        if way <= 3:
            data = _replaced(data, _NUMBER, draw.choice(_NUMBERS).encode(), draw)
        elif way == 4:
            word = draw.choice(_WORDS).encode("utf-8", "surrogatepass")
            data = _replaced(data, _QUOTED, word, draw, keeps_ends=True)
        elif way == 5:
            data = _replaced(data, _ELEMENT, b"", draw, repeats=draw.choice((0, 0, 2, 50)))
        elif way == 6:
            data = _replaced(data, _LINE, b"", draw, repeats=draw.choice((0, 0, 2, 50)))
        elif way == 7:
            name = draw.choice((b"utf-16", b"rot13", b"latin-1", b"utf-7", b"hex", b"x" * 99))
            data = (
                data.replace(b"UTF-8", name, 1)
                if b"UTF-8" in data
                else data.decode("utf-8", "replace").encode(
                    draw.choice(("utf-16", "utf-32", "latin-1", "cp1252")), "replace"
                )
            )
        elif way == 8:
            deep = draw.choice((10, 300, 3_000, 100_000))
            opening, closing = draw.choice(
                (
                    (b"[", b"]"),
                    (b'{"a":', b"}"),
                    (b"<a>", b"</a>"),
                    (b'{"OTIO_SCHEMA":"Stack.1","children":[', b"]}"),
                )
            )
            at = draw.randrange(len(data) or 1)
            data = data[:at] + opening * deep + closing * deep + data[at:]
        else:
            data = spoilt(data, draw, others or [data])
        data = data or b" "
    return data


def _replaced(
    data: bytes,
    pattern: re.Pattern[bytes],
    word: bytes,
    draw: random.Random,
    *,
    keeps_ends: bool = False,
    repeats: int | None = None,
) -> bytes:
    """Replace one match that is drawn; `repeats` puts it there so many times instead."""
    # One drawn place, and the first match after it: the list of all takes too long.
    match = pattern.search(data, draw.randrange(len(data) or 1)) or pattern.search(data)
    if match is None:
        return data
    if repeats is not None:
        word = match[0] * repeats
    elif keeps_ends:
        word = match[0][:1] + word + match[0][-1:]
    return data[: match.start()] + word + data[match.end() :]
