"""Files that may not be read are not opened, and nothing is told of whether they are there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from document_factory import make_document

from hlcli.document import ScoresDocument
from hlcli.errors import HlError
from hlcli.media.identity import content_identity
from hlcli.progress import Listener
from hlcli.rendering.settings import RenderSettings
from hlcli.serve.allowed import Allowed
from hlcli.serve.refusal import RequestError
from hlcli.timeline.build import Layout
from hlcli.workflows.export import relink_documents
from hlcli.workflows.outputs import write_outputs
from hlcli.workflows.render import render
from tests.media_factory import make_video

opened: list[str] = []


def note_opens(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], (str, Path)):
        opened.append(os.fspath(arguments[0]))


# A hook stays for the life of the process; it notes names and nothing else.
sys.addaudithook(note_opens)


class Recorder(Listener):
    def __init__(self) -> None:
        self.remarks: list[str] = []

    def remark(self, text: str) -> None:
        self.remarks.append(text)


@pytest.fixture
def allowed(tmp_path: Path) -> Allowed:
    (tmp_path / "root").mkdir()
    return Allowed(roots=((tmp_path / "root").resolve(),))


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "outside"
    folder.mkdir()
    path = make_video(folder, name="secret.mp4", num_frames=60)
    opened.clear()
    yield path
    assert [name for name in opened if str(folder) in name] == []


def document_of(path: Path, identity: str = "b" * 64) -> ScoresDocument:
    return make_document(path=str(path), num_frames=60, spans=[(0.2, 1.0)], identity=identity)


@pytest.mark.parametrize("suffix", [".otio", ".xml", ".fcpxml", ".mlt", ".kdenlive", ".edl"])
def test_media_of_a_timeline(tmp_path: Path, allowed: Allowed, secret: Path, suffix: str) -> None:
    timeline = tmp_path / f"root/cut{suffix}"
    write_outputs([timeline], [document_of(secret)])
    opened.clear()
    with pytest.raises(HlError) as there:
        render(timeline, tmp_path / "root/film.mp4", may_read=allowed.may_read)
    write_outputs([timeline], [document_of(tmp_path / "outside/nothing.mp4")])
    with pytest.raises(HlError) as absent:
        render(timeline, tmp_path / "root/film.mp4", may_read=allowed.may_read)
    assert str(there.value).replace("secret", "nothing") == str(absent.value)
    assert not (tmp_path / "root/film.mp4").exists()


def test_the_video_of_a_document_is_named_and_not_looked_at(
    tmp_path: Path, allowed: Allowed, secret: Path
) -> None:
    words = []
    for path in (secret, tmp_path / "outside/nothing.mp4"):
        on = Recorder()
        (document,) = relink_documents(
            [document_of(path)], layout=Layout(), may_read=allowed.may_read, on=on
        )
        assert document.video.path == str(path)
        words.append([text.replace("secret", "nothing") for text in on.remarks])
    assert words[0] == words[1]
    assert "may not be read" in words[0][0]


def test_a_bundle_asks_for_what_a_map_leads_to(
    tmp_path: Path, allowed: Allowed, secret: Path
) -> None:
    inside = make_video(tmp_path / "root", name="secret.mp4", num_frames=60)
    identity = content_identity(inside)
    layout = Layout(path_maps=((str(tmp_path / "root"), str(secret.parent)),))
    with pytest.raises(RequestError, match="outside"):
        write_outputs(
            [tmp_path / "root/cut.otioz"],
            [document_of(inside, identity)],
            layout=layout,
            may_read=allowed.may_read,
        )
    assert not (tmp_path / "root/cut.otioz").exists()


def test_what_may_be_read_is(tmp_path: Path, allowed: Allowed) -> None:
    video = make_video(tmp_path / "root", name="open.mp4", num_frames=60)
    timeline = tmp_path / "root/cut.otio"
    write_outputs([timeline], [document_of(video, content_identity(video))])
    opened.clear()
    settings = RenderSettings(size=(64, 48))
    report = render(timeline, tmp_path / "root/film.mp4", settings, may_read=allowed.may_read)
    assert report.path.exists()
    assert str(video) in opened  # what the other tests look at sees it
