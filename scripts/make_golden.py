"""Write the golden files: canonical timelines in every format, for every program.

    scripts/golden            writes tests/golden/, and removes what no format writes any more
    scripts/golden --check    writes nothing; exit code 1 when a file says something else

The timelines are those of tests/edit_list_factory.py, the formats and programs those that are
registered in hlcli/timeline/formats. Where a format refuses a timeline, its words are the golden
file. Files are compared by what they say, not by how they are laid out.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hlcli import __version__
from hlcli.atomic import write_text
from hlcli.errors import UsageError
from hlcli.timeline.formats import FORMATS, write_format

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))

from edit_list_factory import CASES  # noqa: E402

GOLDEN = ROOT / "tests/golden"
WITHOUT = {
    ".otioz": "holds the media, which must be there: tests/test_otioz.py",
    ".aaf": "is binary: tests/test_aaf.py",
    ".srt": "needs a transcript: tests/test_transcript.py",
    ".vtt": "needs a transcript: tests/test_transcript.py",
    ".parquet": "is binary: tests/test_parquet.py",
}
"""Formats without golden files, and why."""
REFUSED = ".refused.txt"
"""Ending of a file that holds why a format refuses a timeline."""


def golden_texts() -> Iterator[tuple[str, str]]:
    """Write every canonical timeline in every format for every program.

    Yields:
        Path below tests/golden, and text without the version of `hl` and without any folder of
        this machine.
    """
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            for suffix, entry in FORMATS.items():
                for target in entry.targets if suffix not in WITHOUT else ():
                    name = f"{case}/{target}{suffix}"
                    text, refused = _written(Path(folder) / f"{case}{suffix}", case, target)
                    text = text.replace(str(Path(folder)), "FOLDER")
                    text = text.replace(f"hl {__version__}", "hl VERSION")
                    yield (name + REFUSED if refused else name), text


def structure(name: str, text: str) -> Any:
    """Return what a file says, apart from how it is laid out.

    Args:
        name: File name; its ending says how to read it, unless it is XML.
        text: What is in it.
    """
    suffix = Path(name).suffix
    if text.startswith("<?xml"):
        return _element(ElementTree.fromstring(text))
    if suffix in (".otio", ".json", ".llc", ".v1", ".v3"):
        return json.loads(text)
    if suffix == ".csv":
        return list(csv.reader(io.StringIO(text)))
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def read_golden() -> dict[str, str]:
    """Return what stands in tests/golden, by path below it."""
    return {
        path.relative_to(GOLDEN).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(GOLDEN.rglob("*"))
        if path.is_file()
    }


def differing(written: dict[str, str], golden: dict[str, str]) -> list[str]:
    """Return the names of the files that say something else, are new, or are left over."""
    return sorted(
        name
        for name in written.keys() | golden.keys()
        if name not in written
        or name not in golden
        or structure(name, written[name]) != structure(name, golden[name])
    )


def main() -> int:
    """Write or compare; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing, only compare")
    check = parser.parse_args().check
    written = dict(golden_texts())
    names = differing(written, read_golden())
    for name in names:
        print(("differs: " if check else "written: " if name in written else "removed: ") + name)
    if check:
        return 1 if names else 0
    for name in names:
        path = GOLDEN / name
        if name in written:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, written[name])
        else:
            path.unlink()
    return 0


def _written(path: Path, case: str, target: str) -> tuple[str, bool]:
    documents, layout = CASES[case].documents, CASES[case].layout
    try:
        write_format(path, documents, target=target, layout=layout)
    except UsageError as error:
        return f"{error.message}\nhint: {error.hint}\n", True
    return path.read_text(encoding="utf-8"), False


def _element(element: ElementTree.Element) -> Any:
    """Return name, attributes, text and children; comments and white space around text are lost."""
    return (
        element.tag,
        dict(element.attrib),
        (element.text or "").strip(),
        [(_element(child), (child.tail or "").strip()) for child in element],
    )


if __name__ == "__main__":
    sys.exit(main())
