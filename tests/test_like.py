"""Photographs of the event: what looks like them counts for more."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction
from pathlib import Path

import media_factory
import numpy as np
import pytest
from cli_runner import hl
from document_factory import make_document
from PIL import Image

import hlcli
from hlcli.document import ScoresDocument, find_moments
from hlcli.errors import MediaError
from hlcli.features.likeness import likeness
from hlcli.media.photographs import find_photographs, read_photograph
from hlcli.moments import LIKENESS_WEIGHT, Selection, with_votes

RATE = Fraction(10)


def scenery(index: int, image: media_factory.Image) -> None:
    """Paint four scenes of ten seconds; the third is a chequered wall behind a red ball."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    scene = index // 100
    if scene == 2:
        image[:] = np.where((x // 12 + y // 12) % 2, 230, 20)[..., None]
        image[(x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2] = (220, 20, 20)
    else:
        image[..., scene % 3] = (x * 255 // width).astype(np.uint8)
        image[..., 1] = 60 * scene


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media_factory.make_video(
        tmp_path_factory.mktemp("like"),
        name="party.mp4",
        rate=RATE,
        num_frames=400,
        width=192,
        height=128,
        paint=scenery,
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The third scene as somebody else took it: closer, brighter, on its side with an EXIF turn."""
    image = np.full((300, 450, 3), 90, np.uint8)
    scenery(250, image)
    picture = Image.fromarray(image).crop((30, 20, 420, 290)).point(lambda value: value * 0.9 + 20)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    folder = tmp_path / "photos"
    folder.mkdir()
    picture.rotate(90, expand=True).save(folder / "IMG_1.JPG", exif=exif)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.jpg").write_bytes(b"")
    return folder


def test_photographs_are_read_upright(photos: Path, tmp_path: Path) -> None:
    found = find_photographs([photos, photos / "IMG_1.JPG"])
    assert [path.name for path in found] == ["IMG_1.JPG", "broken.jpg"]
    turned = read_photograph(found[0], size=64)
    assert turned.shape == (64, 64, 3)
    assert turned.dtype == np.uint8
    upright = tmp_path / "upright.png"
    Image.open(found[0]).transpose(Image.Transpose.ROTATE_270).save(upright)
    # Turned and not turned, a chequered wall is far apart.
    assert np.abs(turned.astype(int) - read_photograph(upright, size=64)).mean() < 8
    with pytest.raises(MediaError, match=r"broken\.jpg cannot be read as a photograph"):
        read_photograph(found[1], size=64)
    with pytest.raises(MediaError, match="no photograph in the folder"):
        find_photographs([_empty(tmp_path)])
    with pytest.raises(MediaError, match="no such photograph or folder"):
        find_photographs([tmp_path / "nowhere"])


def _empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_heic(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="the extra photos is not installed")
    heif.register_heif_opener()
    path = tmp_path / "IMG_2.HEIC"
    Image.new("RGB", (80, 60), (200, 30, 30)).save(path, format="HEIF", quality=90)
    red = read_photograph(path, size=32).reshape(-1, 3).mean(axis=0)
    assert red == pytest.approx([200, 30, 30], abs=12)


def test_likeness_is_to_the_nearest_photograph() -> None:
    rng = np.random.default_rng(3)
    rows_TV = rng.normal(size=(6, 64)).astype(np.float16)
    alike_T = likeness(rows_TV, np.stack([rows_TV[4] * 3, rows_TV[1]]))
    assert alike_T[[1, 4]] == pytest.approx([1, 1])
    assert (alike_T[[0, 2, 3, 5]] == 0).all()


def test_likeness_lifts_scores() -> None:
    voted = with_votes([0.2, 0.2], [], clip_seconds=1.0, vote="weak", likeness_T=[0.0, 1.0])
    assert voted == (0.2, pytest.approx(0.2 + LIKENESS_WEIGHT * 0.8))


def test_documents_keep_likeness(tmp_path: Path) -> None:
    document = dataclasses.replace(make_document(), likeness=None)
    assert "likeness" not in document.to_json()
    row = tuple(0.25 if clip % 2 else 0.0 for clip in range(len(document.scores)))
    document = dataclasses.replace(document, likeness=row)
    document.write(tmp_path / "scores.json")
    assert ScoresDocument.read(tmp_path / "scores.json").likeness == row


def test_photographed_seconds_are_chosen(video: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.json"
    result = hl("score", video, "--like", photos, "--top", 1, "-o", out)
    assert result.exit_code == 0, result.output
    assert result.stderr.count("broken.jpg") == 1
    [moment] = json.loads(out.read_text())["moments"]
    assert moment["start_seconds"] >= 19
    assert moment["end_seconds"] <= 31
    assert "as photographed" in moment["reasons"]
    row = json.loads(out.read_text())["likeness"]
    assert min(row[21:29]) > 0.4 > max(row[:19] + row[31:])

    # Without decoding, from what is stored; and again from the document alone.
    again = tmp_path / "again.json"
    assert hl("export", video, "--like", photos, "--top", 1, "-o", again).exit_code == 0
    assert json.loads(again.read_text())["moments"] == [moment]
    assert hl("export", out, "--top", 1, "-o", tmp_path / "third.json").exit_code == 0
    assert json.loads((tmp_path / "third.json").read_text())["moments"] == [moment]
    # Off unless asked for.
    assert hl("export", video, "--top", 1, "-o", tmp_path / "off.json").exit_code == 0
    off = ScoresDocument.read(tmp_path / "off.json")
    assert off.likeness is None

    [document] = hlcli.score(video, Selection(top=1), like=[photos], on=hlcli.Listener())
    assert find_moments(document, Selection(top=1)) == list(document.moments)
    assert document.likeness == tuple(row)


def test_only_bad_photographs(video: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    result = hl("score", video, "--like", bad)
    assert result.exit_code == 3
    assert "none of the 1 photographs of --like can be read" in result.stderr
    missing = hl("export", video, "--like", tmp_path / "nowhere", "-o", tmp_path / "cut.otio")
    assert missing.exit_code == 3
    assert "no such photograph" in missing.stderr
