"""Mutated timelines of every kind, scores documents, marks, recipes and model files."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import random
import re
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from hlcli.document import read_documents
from hlcli.errors import HlError
from hlcli.model.exchange import export_model
from hlcli.timeline.check import SUFFIXES, check_timeline
from hlcli.timeline.formats import write_format
from hlcli.timeline.read import READERS, read_timeline
from hlcli.training.recipe import read_recipe
from hlcli.tuning.cut import read_cut
from hlcli.tuning.footage import Footage
from hlcli.tuning.marks import read_marks
from hlcli.zoo.archive import open_archive

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests"))

from edit_list_factory import CASES  # noqa: E402
from media_factory import make_video  # noqa: E402

_BINARY = (".aaf", ".otioz", ".hlmodel")
_UNFORESEEN = (AttributeError, IndexError, KeyError, NameError, TypeError)
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
_REACH = 20_000
"""Bytes in which something to replace is looked for."""
_MARKS = b"""file,start,end,label
a.mov,0:00.5,1.5,keep
a.mov,00:00:01:00,00:00:01:12,drop
b.mov,1,2,keep
"""
_RECIPE_FOLDER = ROOT / "model_zoo/recipes"


def prepare(folder: Path) -> list[Path]:
    """Write whole files of every kind, and the media that some of them name."""
    os.environ["HL_CACHE_DIR"] = str(folder / "cache")
    (folder / "media").mkdir()
    for file in ("a.mov", "b.mov"):
        make_video(folder / "media", name=file, rate=Fraction(25), num_frames=50)
    made = []
    for path in sorted((ROOT / "tests/golden").rglob("*")):
        if path.suffix in (*READERS, ".json"):
            made.append(folder / f"{path.parent.name}-{path.name}")
            shutil.copyfile(path, made[-1])
    for name, case in sorted(CASES.items()):
        path = folder / f"{name}.aaf"
        with contextlib.suppress(HlError):  # of other rates than the timeline
            write_format(path, case.documents, target=None, layout=case.layout)
            made.append(path)
    (folder / "bundle.otioz").write_bytes(_bundle(_timeline_of("media/a.mov"), folder))
    (folder / "marks.csv").write_bytes(_MARKS)
    export_model("subspace", folder / "subspace.hlmodel")
    made += [folder / name for name in ("bundle.otioz", "marks.csv", "subspace.hlmodel")]
    for path in sorted(_RECIPE_FOLDER.glob("*.toml")):
        made.append(folder / path.name)
        shutil.copyfile(path, made[-1])
    for path in {path.suffix: path for path in made}.values():
        # Loads what is loaded once, before the children are forked.
        with contextlib.suppress(HlError):
            use(path)
    return made


def mutate(seeds: Sequence[Path], target: Path, chance: random.Random) -> Path:
    """Write a damaged file of one of the kinds, all alike often."""
    suffix = chance.choice(sorted({path.suffix for path in seeds}))
    others = [path.read_bytes() for path in seeds if path.suffix == suffix]
    data = chance.choice(others)
    if suffix == ".otioz" and chance.random() < 0.6:
        # Damage within a bundle would else be found by its checksums.
        data = _bundle(_damaged(_timeline_of("media/a.mov"), chance), seeds[0].parent)
    elif suffix in _BINARY:
        data = _spoilt(data, chance, others)
    else:
        data = _damaged(data, chance, others)
    path = target.with_suffix(suffix)
    path.write_bytes(data)
    return path


def use(path: Path) -> str:
    """Read a file in every way in which hl would; every way is tried before one of them counts."""
    refusals: list[HlError] = []
    calls = list(_calls(path))
    for call in calls:
        try:
            call()
        except HlError as error:
            # Their frames would keep what each of the readers had in memory.
            for raised in (error, error.__cause__, error.__context__):
                if raised is not None:
                    raised.__traceback__ = None
            refusals.append(error)
    for refusal in refusals:
        assert len(refusal.message) <= 1_100, f"a message of {len(refusal.message)} letters"
        assert "\n" not in refusal.message, "a message of several lines"
    if len(refusals) < len(calls):
        return f"read{path.suffix}"
    cause = refusals[0].__cause__
    # Not foreseen by the reader, but held by the boundary around it.
    kind = f" by the boundary: {type(cause).__name__}" if isinstance(cause, _UNFORESEEN) else ""
    return f"refused{path.suffix} ({refusals[0].exit_code}){kind}"


def _calls(path: Path) -> Iterator[Callable[[], object]]:
    suffix = path.suffix
    if suffix in READERS:
        yield lambda: read_timeline(path, search=[_media()])
        yield lambda: read_cut(path, _footage())
    if suffix in (".otio", ".xml", ".edl", ".csv"):
        yield lambda: read_marks(path, _footage())
    if suffix in SUFFIXES:
        yield lambda: check_timeline(path, target="resolve")
        yield lambda: check_timeline(path, target="premiere")
    if suffix == ".json":
        yield lambda: read_documents(path)
    if suffix == ".toml":
        yield lambda: read_recipe(path, [])
    if suffix == ".hlmodel":
        yield lambda: _opened(path)


def _media() -> Path:
    return Path(os.environ["HL_CACHE_DIR"]).parent / "media"


@functools.cache
def _footage() -> Footage:
    return Footage([str(_media())])


def _bundle(text: bytes, folder: Path) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("version.txt", "1.0.0")
        bundle.writestr("content.otio", text)
        bundle.write(folder / "media/a.mov", "media/a.mov")
    return stream.getvalue()


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
    return bytes(timeline.to_json_string().encode())


def _opened(path: Path) -> None:
    with open_archive(path):
        pass


def _spoilt(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """Return bytes with some changed, left out, repeated or from another file."""
    result = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        at = chance.randrange(len(result) or 1)
        # Headers and lists of members stand at both ends.
        at = chance.choice(
            (at, min(at, chance.randrange(600)), max(0, len(result) - chance.randrange(1, 600)))
        )
        length = chance.choice((1, 2, 4, 8, 64, 512))
        way = chance.randrange(7)
        if way == 0:
            result[at : at + 1] = bytes([chance.randrange(256)])
        elif way == 1:
            result[at : at + length] = chance.choice((b"\0", b"\xff")) * length
        elif way == 2:
            del result[at : at + length]
        elif way == 3:
            result[at:at] = result[at : at + length] * chance.choice((1, 3, 100))
        elif way == 4:
            del result[at:]
        elif way == 5:
            other = chance.choice(others)
            start = chance.randrange(len(other))
            result[at : at + length] = other[start : start + length]
        else:
            result[at : at + length] = chance.randbytes(length)
    return bytes(result)


def _damaged(data: bytes, chance: random.Random, others: list[bytes] | None = None) -> bytes:
    """Return text with numbers, words, lines or elements that nobody expects."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        way = chance.randrange(10)
        if way <= 3:
            data = _replaced(data, _NUMBER, chance.choice(_NUMBERS).encode(), chance)
        elif way == 4:
            word = chance.choice(_WORDS).encode("utf-8", "surrogatepass")
            data = _replaced(data, _QUOTED, word, chance, keeps_ends=True)
        elif way == 5:
            data = _replaced(data, _ELEMENT, b"", chance, repeats=chance.choice((0, 0, 2, 50)))
        elif way == 6:
            data = _replaced(data, _LINE, b"", chance, repeats=chance.choice((0, 0, 2, 50)))
        elif way == 7:
            name = chance.choice((b"utf-16", b"rot13", b"latin-1", b"utf-7", b"hex", b"x" * 99))
            data = (
                data.replace(b"UTF-8", name, 1)
                if b"UTF-8" in data
                else data.decode("utf-8", "replace").encode(
                    chance.choice(("utf-16", "utf-32", "latin-1", "cp1252")), "replace"
                )
            )
        elif way == 8:
            deep = chance.choice((10, 300, 3_000, 100_000))
            opening, closing = chance.choice(
                (
                    (b"[", b"]"),
                    (b'{"a":', b"}"),
                    (b"<a>", b"</a>"),
                    (b'{"OTIO_SCHEMA":"Stack.1","children":[', b"]}"),
                )
            )
            at = chance.randrange(len(data) or 1)
            data = data[:at] + opening * deep + closing * deep + data[at:]
        else:
            data = _spoilt(data, chance, others or [data])
        data = data or b" "
    return data


def _replaced(
    data: bytes,
    pattern: re.Pattern[bytes],
    word: bytes,
    chance: random.Random,
    *,
    keeps_ends: bool = False,
    repeats: int | None = None,
) -> bytes:
    """Replace one match that is drawn; `repeats` puts it there so many times instead."""
    # One drawn place, and the first match after it: the list of all takes too long.
    # Within bounds, too: a pair of tags is looked for from each opening on, to the end.
    start = chance.randrange(len(data) or 1)
    match = pattern.search(data, start, start + _REACH) or pattern.search(data, 0, _REACH)
    if match is None:
        return data
    if repeats is not None:
        word = match[0] * repeats
    elif keeps_ends:
        word = match[0][:1] + word + match[0][-1:]
    return data[: match.start()] + word + data[match.end() :]
