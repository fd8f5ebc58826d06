"""Canonical timelines in every format say what their golden files say: scripts/golden."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from edit_list_factory import CASES

from hlcli import __version__
from hlcli.timeline.formats import FORMATS

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "scripts"))
        return importlib.import_module("make_golden")


@pytest.fixture(scope="module")
def written(script: ModuleType) -> dict[str, str]:
    return dict(script.golden_texts())


@pytest.fixture(scope="module")
def golden(script: ModuleType) -> dict[str, str]:
    return script.read_golden()


def names_of(files: dict[str, str], suffix: str, refused: str) -> set[str]:
    return {name for name in files if name.removesuffix(refused).endswith(suffix)}


@pytest.mark.parametrize("suffix", list(FORMATS))
def test_says_what_its_golden_files_say(script, written, golden, suffix: str) -> None:
    if suffix in script.WITHOUT:
        pytest.skip(f"no golden files: {suffix} {script.WITHOUT[suffix]}")
    names = names_of(written, suffix, script.REFUSED)
    assert len(names) == len(CASES) * len(FORMATS[suffix].targets)
    assert names_of(golden, suffix, script.REFUSED) == names, "run scripts/golden"
    for name in sorted(names):
        assert script.structure(name, written[name]) == script.structure(name, golden[name]), (
            f"{name} says something else; if it should, run scripts/golden and look at the change"
        )


def test_nothing_is_left_over(script, written, golden) -> None:
    assert set(golden) <= set(written), "run scripts/golden"


def test_golden_files_are_the_same_everywhere_and_for_every_version(script, golden) -> None:
    for name, text in golden.items():
        assert f"hl {__version__}" not in text, name
        assert str(ROOT) not in text, name
        assert not re.search(r"/tmp\b|/var/folders|AppData", text), name


def test_formats_without_golden_files_are_known(script) -> None:
    for suffix, why in script.WITHOUT.items():
        assert why
        # Registered today, or by an extra that is not installed here.
        assert suffix in FORMATS or suffix == ".aaf"


def test_a_change_of_layout_is_none_and_a_change_of_content_is_one(script) -> None:
    pairs = [
        ("a.otio", '{"a": 1, "b": [2]}', '{ "b":[2],\n"a":1 }', '{"a": 1, "b": [3]}'),
        (
            "a.xml",
            '<?xml version="1.0"?>\n<a b="1" c="2"><d>x</d></a>',
            '<?xml version="1.0"?><a c="2" b="1">\n  <d>x</d>\n</a>',
            '<?xml version="1.0"?><a c="2" b="1"><d>y</d></a>',
        ),
        ("a.csv", "a,b\n", '"a",b\r\n', "a,c\n"),
        ("a.edl", "TITLE: x\n\n001  A\n", "TITLE: x\n001  A\n", "TITLE: x\n002  A\n"),
    ]
    for name, text, same, other in pairs:
        assert script.differing({name: text}, {name: same}) == []
        assert script.differing({name: text}, {name: other}) == [name]
    assert script.differing({"x.csv": ""}, {}) == ["x.csv"]
    assert script.differing({}, {"x.csv": ""}) == ["x.csv"]


def test_check_needs_no_environment_of_its_own() -> None:
    run = subprocess.run(
        [sys.executable, str(ROOT / "scripts/make_golden.py"), "--check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (0, ""), run.stdout + run.stderr
