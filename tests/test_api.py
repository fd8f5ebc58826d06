"""The public API: what `import hlcli` gives, and the guide that shows it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from document_factory import make_document

import hlcli
from tests.media_factory import make_video

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "docs/guides/python.md"


def test_the_guide_works_from_top_to_bottom(tmp_path: Path) -> None:
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text("utf-8"), re.M | re.S))
    (tmp_path / "docs").symlink_to(ROOT / "docs", target_is_directory=True)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "highlights.otio").stat().st_size > 1000
    assert "no such file or folder" in done.stdout


def test_the_guide_names_all_there_is() -> None:
    text = GUIDE.read_text("utf-8")
    assert [name for name in hlcli.__all__ if name != "__version__" and name not in text] == []


def test_everything_named_is_there_and_nothing_heavy_is_loaded_before() -> None:
    code = (
        "import sys, hlcli\n"
        "heavy = {'torch', 'av', 'numpy', 'opentimelineio', 'PIL', 'typer'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
        "assert set(hlcli.__all__) <= set(dir(hlcli))\n"
        "missing = [name for name in hlcli.__all__ if getattr(hlcli, name, None) is None]\n"
        "assert not missing, missing\n"
        "import hlcli.cli, hlcli.rendering.film\n"
        "assert callable(hlcli.render) and callable(hlcli.finetune)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        hlcli.nothing  # noqa: B018


def test_moments_chosen_to_be_none_stay_none(tmp_path: Path) -> None:
    document = make_document(spans=[])
    with pytest.raises(hlcli.errors.OutputError, match="no moment"):
        hlcli.export(document, tmp_path / "x.otio")
    (written,) = hlcli.export(document, tmp_path / "x.csv")
    assert len(written.read_text().splitlines()) == 1
    hlcli.export(document, tmp_path / "x.csv", selection=hlcli.Selection(top=1))
    assert len(written.read_text().splitlines()) == 2


def test_problems_raise_unless_somebody_listens(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    good = make_video(tmp_path, name="good.mp4", num_frames=20)
    with pytest.raises(hlcli.errors.MediaError, match=r"bad\.mp4"):
        hlcli.score([tmp_path / "bad.mp4", good])

    class Kept(hlcli.Listener):
        def __init__(self) -> None:
            self.problems: list[hlcli.errors.HlError] = []

        def problem(self, error: hlcli.errors.HlError) -> None:
            self.problems.append(error)

    on = Kept()
    (document,) = hlcli.score([tmp_path / "bad.mp4", good, tmp_path / "gone.mp4"], on=on)
    assert document.video.path == str(good)
    assert ["bad.mp4" in one.message or "gone.mp4" in one.message for one in on.problems] == [
        True,
        True,
    ]
