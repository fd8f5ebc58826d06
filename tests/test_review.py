"""`hl review` without its page: reviews open, are kept, exported, rendered and learnt from."""

from __future__ import annotations

import csv
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from document_factory import make_document
from media_factory import AudioTrack, click_track, make_video, read_frame_number, shots
from pydantic import ValidationError
from serve_factory import Reply, Served, serving
from takes_factory import again, takes_document, walk
from typer.testing import CliRunner

from hlcli import scores_cache
from hlcli.cli import app
from hlcli.document import ScoresDocument, find_moments
from hlcli.errors import OutputError
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from hlcli.media.still import read_stills
from hlcli.moments import Selection
from hlcli.serve import guard
from hlcli.serve.edit import Avoided, Edit, EditMoment, edited_documents, marks_table
from hlcli.serve.refusal import RequestError
from hlcli.serve.review_store import Review, ReviewStore, ReviewVideo, review_id
from hlcli.serve.reviews import MAX_CANDIDATES
from hlcli.serve.signature import is_signed, signed
from hlcli.serve.tickets import LIFE_SECONDS, MAX_TICKETS, Tickets
from hlcli.serve.video_answer import MAX_PIECE_BYTES
from hlcli.workflows.proxy import make_proxy


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reviewed") / "shots é"
    folder.mkdir()
    sound = AudioTrack(click_track(12.0, (3.0,)))
    make_video(folder, name="match.mp4", num_frames=360, paint=shots(120, 240), audio=(sound,))
    make_video(folder, name="second.mkv", num_frames=240, paint=shots(60), codec="mpeg2video")
    make_video(folder.parent, name="secret.mp4")
    return folder.resolve()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def served(footage: Path, cache: Path) -> Iterator[Served]:
    with serving(cache, "--root", str(footage)) as running:
        yield running


@pytest.fixture(scope="module")
def opened(served: Served, footage: Path) -> Any:
    """A review of both videos, scored."""
    paths = [footage / "match.mp4", footage / "second.mkv"]
    first = open_review(served, paths)
    assert [one["document"] for one in first["videos"]] == [None, None]
    assert (first["revision"], first["edit"]["moments"]) == (0, [])
    done = served.wait(served.post("score", paths)["id"])
    assert (done["state"], done["results"]["num_scores"]) == ("done", 2), done
    review = open_review(served, paths)
    assert review["id"] == first["id"]
    return review


def open_review(served: Served, paths: list[Path], **more: Any) -> Any:
    reply = served.call("POST", "/v1/reviews", {"paths": [str(one) for one in paths], **more})
    assert reply.status == 200, reply.body
    return reply.json


def put(served: Served, review: str, revision: int, edit: Any) -> Reply:
    value = {"revision": revision, "edit": edit}
    return served.call("PUT", f"/v1/reviews/{review}", value)


def edit_of(*spans: tuple[Any, ...], order: str = "time") -> dict[str, Any]:
    """Moments from (video, start, end) or (video, start, end, keep)."""
    moments = [
        {
            "id": f"m{number}",
            "video": video,
            "start_seconds": float(start),
            "end_seconds": float(end),
            "keep": keep[0] if keep else True,
            "pinned": False,
        }
        for number, (video, start, end, *keep) in enumerate(spans)
    ]
    return {"moments": moments, "avoid": [], "order": order}


def keep(served: Served, review: str, edit: Any) -> int:
    """Save an edit over whatever is there."""
    now = served.call("GET", f"/v1/reviews/{review}").json["revision"]
    reply = put(served, review, now, edit)
    assert reply.status == 200, reply.body
    return int(reply.json["revision"])


def test_a_review_begins_with_what_hl_chose(opened: Any) -> None:
    match, second = opened["videos"]
    assert (match["name"], second["name"]) == ("match.mp4", "second.mkv")
    assert len(match["document"]["scores"]) == 12
    # The document has every moment one can choose from, the edit those that hl chose itself.
    for number, video in enumerate((match, second)):
        document = ScoresDocument.from_json(video["document"])
        ranked = find_moments(document, Selection(top=MAX_CANDIDATES))
        assert [one.start_seconds for one in document.moments] == pytest.approx(
            [one.start_seconds for one in ranked]
        )
        assert document.moments
        seeded = [one for one in opened["edit"]["moments"] if one["video"] == number]
        assert all(one["keep"] and not one["pinned"] for one in seeded)
        spans = [(one["start_seconds"], one["end_seconds"]) for one in seeded]
        assert spans == sorted((m.start_seconds, m.end_seconds) for m in find_moments(document))


def test_a_review_of_scored_videos_is_seeded_once(
    served: Served, footage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A video whose scores are known before the review is opened, with moments that stand out.
    video = make_video(footage, name="known.mp4", num_frames=600)
    document = make_document(path=str(video), num_frames=600, identity=content_identity(video))
    monkeypatch.setenv("HL_CACHE_DIR", str(served.cache))
    scores_cache.put(document)
    review = open_review(served, [video])
    assert len(review["edit"]["moments"]) == len(find_moments(document)) > 0
    revision = keep(served, review["id"], edit_of())
    again = open_review(served, [video])
    assert (again["revision"], again["edit"]["moments"]) == (revision, [])


def test_takes_lie_in_any_file_of_a_review(
    served: Served, footage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HL_CACHE_DIR", str(served.cache))
    first = walk(1)
    films = {
        "one.mp4": ([first, walk(2, scene=1)], [0.7, 0.6]),
        "two.mp4": ([walk(3, scene=2), again(first, 4)], [0.6, 0.9]),
    }
    videos = []
    for number, (name, (shown, heights)) in enumerate(films.items()):
        video = make_video(
            footage, name=name, num_frames=400, rate=Fraction(25), first_number=number
        )
        identity = content_identity(video)
        scores_cache.put(takes_document(shown, heights, "/gone/" + name, identity))
        videos.append(video)
    review = open_review(served, videos)
    one, two = (ScoresDocument.from_json(video["document"]) for video in review["videos"])
    (take,) = next(m for m in two.moments if m.peak_seconds > 8).alternatives
    assert (take.video, take.start_seconds) == (str(videos[0]), pytest.approx(0, abs=2))
    (back,) = next(m for m in one.moments if m.peak_seconds < 8).alternatives
    assert (back.video, back.start_seconds) == (str(videos[1]), pytest.approx(8, abs=2))
    # As hl score does, it begins with the better one of the two.
    kept = [(m["video"], m["start_seconds"]) for m in review["edit"]["moments"]]
    assert any(video == 1 and start >= 8 for video, start in kept)
    assert not any(video == 0 and start < 7 for video, start in kept)


def test_a_review_is_found_by_the_content_of_its_videos(
    served: Served, opened: Any, footage: Path
) -> None:
    moved = footage / "moved.mp4"
    moved.write_bytes((footage / "match.mp4").read_bytes())
    again = open_review(served, [footage / "second.mkv", moved])
    assert again["id"] == opened["id"]
    # Numbers in the edit keep their meaning, whatever the order they are named in.
    assert [one["name"] for one in again["videos"]] == ["moved.mp4", "second.mkv"]
    back = open_review(served, [footage / "match.mp4", footage / "second.mkv"])
    assert [one["name"] for one in back["videos"]] == ["match.mp4", "second.mkv"]
    alone = open_review(served, [footage / "match.mp4"])
    assert alone["id"] != opened["id"]
    listed = served.call("GET", "/v1/reviews").json["reviews"]
    assert {opened["id"], alone["id"]} <= {one["id"] for one in listed}


def test_two_tabs_do_not_overwrite_each_other(served: Served, opened: Any) -> None:
    name = opened["id"]
    start = served.call("GET", f"/v1/reviews/{name}").json["revision"]
    mine = put(served, name, start, edit_of((0, 1, 3)))
    assert (mine.status, mine.json["revision"]) == (200, start + 1)
    theirs = put(served, name, start, edit_of((0, 5, 7)))
    assert theirs.status == 409
    assert f"revision {start + 1}" in theirs.json["message"]
    assert sorted(theirs.json) == ["exit_code", "hint", "message"]
    kept = served.call("GET", f"/v1/reviews/{name}").json
    assert (kept["revision"], kept["edit"]) == (start + 1, edit_of((0, 1, 3)))
    ahead = put(served, name, start + 9, edit_of((0, 5, 7)))
    assert ahead.status == 409


def test_only_an_edit_of_this_review_is_kept(served: Served, opened: Any) -> None:
    name = opened["id"]
    revision = keep(served, name, edit_of((0, 1, 3)))
    for edit, status in (
        (edit_of((2, 0, 1)), 400),
        (edit_of((0, 3, 3)), 422),
        (edit_of((0, -1, 3)), 422),
        (edit_of((0, 0, 1e9)), 422),
        (edit_of((0, 0, 1), order="random"), 422),
        ({**edit_of((0, 0, 1)), "more": 1}, 422),
        (edit_of(*[(0, 0, 1)] * 5001), 422),
        ([], 422),
    ):
        assert put(served, name, revision, edit).status == status, edit
    assert put(served, "0" * 16, 0, edit_of((0, 0, 1))).status == 404
    assert served.call("GET", f"/v1/reviews/{name}").json["revision"] == revision


def test_export_writes_the_kept_moments_in_their_own_order(
    served: Served, opened: Any, footage: Path
) -> None:
    name = opened["id"]
    own = edit_of((0, 8, 10), (1, 1, 3), (0, 1, 3), (0, 4, 6, False), (0, 6, 7), order="own")
    keep(served, name, own)
    output = footage / "cut.csv"
    reply = served.call(
        "POST", f"/v1/reviews/{name}/export", {"output": str(output), "overwrite": True}
    )
    assert reply.status == 202, reply.body
    job = served.wait(reply.json["id"])
    assert (job["state"], job["results"]["files"]) == ("done", [str(output)]), job
    reply = served.call(
        "POST", f"/v1/reviews/{name}/export", {"output": "cut.edl", "order": "time"}
    )
    assert reply.status == 202, reply.body
    documents = served.wait(reply.json["id"])
    spans = [
        (Path(one["video"]["path"]).name, moment["start_seconds"], moment["end_seconds"])
        for one in served.call("GET", f"/v1/jobs/{documents['id']}/scores").json["documents"]
        for moment in one["moments"]
    ]
    # In the order that was made by hand.
    assert spans == [
        ("match.mp4", 8.0, 10.0),
        ("second.mkv", 1.0, 3.0),
        ("match.mp4", 1.0, 3.0),
        ("match.mp4", 6.0, 7.0),
    ]
    again = served.call("POST", f"/v1/reviews/{name}/export", {"output": str(output)})
    assert (again.status, again.json["message"]) == (409, f"{output} is there already")


def test_what_cannot_be_exported_is_said_at_once(
    served: Served, opened: Any, footage: Path
) -> None:
    name = opened["id"]
    call = f"/v1/reviews/{name}/export"
    keep(served, name, edit_of((0, 1, 3, False)))
    nothing = served.call("POST", call, {"output": "cut.otio"})
    assert (nothing.status, nothing.json["message"]) == (400, "no moment is kept")
    keep(served, name, edit_of((0, 1, 3), (0, 2, 4)))
    both = served.call("POST", call, {"output": "cut.otio"})
    assert (both.status, both.json["message"]) == (
        400,
        "match.mp4: two kept moments overlap at 2.00 s",
    )
    keep(served, name, edit_of((0, 500, 510)))
    assert "the video ends at" in served.call("POST", call, {"output": "a.otio"}).json["message"]
    keep(served, name, edit_of((0, 1, 3)))
    for options, status in (
        ({"output": "cut.doc"}, 400),
        ({"output": str(footage.parent / "cut.otio")}, 403),
        ({"output": str(footage / "match.mp4")}, 400),
        ({"output": "cut.otio", "top": 3}, 400),
        ({"output": "cut.otio", "for": "paint"}, 400),
        ({"colour": "red"}, 422),
    ):
        reply = served.call("POST", call, options)
        assert reply.status == status, (options, reply.body)


def test_a_reel_is_rendered_from_the_review(served: Served, opened: Any, footage: Path) -> None:
    name = opened["id"]
    keep(served, name, edit_of((1, 1, 2), (0, 8, 9), order="own"))
    film = footage / "reel.mp4"
    call = f"/v1/reviews/{name}/render"
    reply = served.call("POST", call, {"output": str(film), "size": "96x64"})
    assert reply.status == 202, reply.body
    job = served.wait(reply.json["id"])
    assert job["state"] == "done", job
    assert job["results"]["files"] == [str(film), str(film.with_suffix(".otio"))]
    assert float(probe(film).duration_seconds) == pytest.approx(2.0, abs=0.05)
    assert served.call("POST", call, {"output": str(film)}).status == 409
    assert served.call("POST", call, {"output": str(footage / "reel.gif")}).status == 400
    assert served.call("POST", call, {"copy": True}).status == 400
    assert served.call("POST", call, {"output": str(footage.parent / "x.mp4")}).status == 403


def test_a_model_learns_what_is_kept_and_dropped(
    served: Served, opened: Any, footage: Path
) -> None:
    name = opened["id"]
    keep(served, name, edit_of((0, 1, 4), (0, 6, 9, False)))
    call = f"/v1/reviews/{name}/learn"
    reply = served.call("POST", call, {"name": "my-taste", "steps": 1})
    assert reply.status == 202, reply.body
    # Learning itself is seen in the browser's test.
    (table,) = reply.json["options"]["labels"]
    assert Path(table).read_text(encoding="utf-8").splitlines() == [
        "file,start,end,label",
        f"{footage / 'match.mp4'},1.000000,4.000000,keep",
        f"{footage / 'match.mp4'},6.000000,9.000000,drop",
    ]
    # Only what was decided about teaches.
    assert reply.json["paths"] == [str(footage / "match.mp4")]
    served.call("DELETE", f"/v1/jobs/{reply.json['id']}")
    own = served.call("POST", call, {"name": "other", "labels": ["/etc/passwd"]})
    assert (own.status, own.json["message"]) == (400, "a review brings its own labels")
    keep(served, name, edit_of((0, 1, 4, False)))
    nothing = served.call("POST", call, {"name": "other"})
    assert (nothing.status, "nothing to learn" in nothing.json["message"]) == (400, True)


def test_a_video_is_played_by_pieces_with_a_signed_address(
    served: Served, opened: Any, footage: Path
) -> None:
    media = served.call("GET", f"/v1/reviews/{opened['id']}/media/0").json
    assert (media["codec"], media["start_seconds"], media["is_continuous"]) == ("h264", 0.0, True)
    assert media["proxy_address"] is None
    content = (footage / "match.mp4").read_bytes()
    size = len(content)

    def piece(wanted: str | None, address: str = media["address"]) -> Reply:
        headers = {} if wanted is None else {"Range": wanted}
        return served.call("GET", address, token=None, headers=headers)

    whole = piece(None)
    assert (whole.status, whole.body, whole.headers["content-type"]) == (200, content, "video/mp4")
    for wanted, first, last in (
        ("bytes=0-", 0, size - 1),
        ("bytes=0-0", 0, 0),
        ("bytes=10-99", 10, 99),
        (f"bytes={size - 5}-{size + 100}", size - 5, size - 1),
        ("bytes=-7", size - 7, size - 1),
        (f"bytes=-{size * 9}", 0, size - 1),
    ):
        reply = piece(wanted)
        assert (reply.status, reply.body) == (206, content[first : last + 1]), wanted
        assert reply.headers["content-range"] == f"bytes {first}-{last}/{size}"
    for wanted in (f"bytes={size}-", "bytes=9-3", "bytes=-0", f"bytes={10**18}-"):
        reply = piece(wanted)
        assert (reply.status, reply.headers["content-range"]) == (416, f"bytes */{size}"), wanted
    # No single range of bytes: passed over.
    for wanted in (
        "bytes=0-1,5-9",
        "items=0-1",
        "bytes=-",
        "bytes=a-b",
        "bytes=" + "9" * 400 + "-",
    ):
        assert piece(wanted).status == 200, wanted


def test_a_long_piece_is_given_in_parts(served: Served, footage: Path) -> None:
    path = make_video(footage, name="long.mp4", num_frames=30)
    with path.open("ab") as stream:
        stream.truncate(3 * MAX_PIECE_BYTES)
    review = open_review(served, [path])
    media = served.call("GET", f"/v1/reviews/{review['id']}/media/0").json
    reply = served.call("GET", media["address"], token=None, headers={"Range": "bytes=5-"})
    assert reply.status == 206
    assert len(reply.body) == MAX_PIECE_BYTES
    end = 5 + MAX_PIECE_BYTES - 1
    assert reply.headers["content-range"] == f"bytes 5-{end}/{3 * MAX_PIECE_BYTES}"


def test_a_signed_address_opens_one_video_and_nothing_else(
    served: Served, opened: Any, footage: Path
) -> None:
    name = opened["id"]
    address = served.call("GET", f"/v1/reviews/{name}/media/0").json["address"]
    key = parse_qs(urlsplit(address).query)["key"][0]
    assert served.call("GET", address, token=None).status == 200
    for other in (
        f"/v1/reviews/{name}/video/1?of=source&key={key}",
        f"/v1/reviews/{name}/video/0?of=proxy&key={key}",
        f"/v1/reviews/{name}/video/0?key={key}",
        f"/v1/reviews/{name}/video/0?of=source&of=source&key={key}",
        f"/v1/reviews/{name}/video/0?of=source&key={key}&key={key}",
        f"/v1/reviews/{name}/video/0?of=source&more=1&key={key}",
        f"/v1/reviews/{name}/video/0?of=source&key={key[:-1]}",
        f"/v1/reviews/{name}/video/0?of=source&key=",
        f"/v1/reviews/{name}/video/0?of=source",
        f"/v1/reviews/{name}?of=source&key={key}",
        f"/v1/reviews/{name}/media/0?of=source&key={key}",
        f"/v1/jobs?of=source&key={key}",
        f"/v1/reviews/{name}/video/0?" + "&".join(["a=1"] * 60) + f"&key={key}",
    ):
        assert served.call("GET", other, token=None).status == 401, other
    assert served.call("DELETE", address, token=None).status == 401
    assert served.call("GET", address, token=None, headers={"Host": "evil.example"}).status == 421
    evil = {"Origin": "http://evil.example"}
    assert served.call("GET", address, token=None, headers=evil).status == 403


def test_the_small_copy_has_the_same_frames(served: Served, opened: Any, footage: Path) -> None:
    call = f"/v1/reviews/{opened['id']}"
    assert served.call("GET", f"{call}/video/1?of=proxy").status == 404
    reply = served.call("POST", f"{call}/proxy/1", {})
    assert reply.status == 202, reply.body
    job = served.wait(reply.json["id"])
    assert job["state"] == "done", job
    made = probe(Path(job["results"]["files"][0]))
    source = probe(footage / "second.mkv")
    assert made.video_codec == "h264"
    assert (made.num_frames, made.frame_rate) == (source.num_frames, source.frame_rate)
    media = served.call("GET", f"{call}/media/1").json
    copy = served.call("GET", media["proxy_address"], token=None)
    assert (copy.status, copy.headers["content-type"]) == (200, "video/mp4")
    assert served.call("POST", f"{call}/proxy/7", {}).status == 404


LATE = AudioTrack(click_track(1.0, (0.5,)), codec="mp2", start_seconds=Fraction(10))
EIGHT = AudioTrack(click_track(1.0, (0.5,), channels=8), codec="pcm_s16le")
UNEVEN = tuple(Fraction(n, 30) + Fraction(n % 3, 200) + Fraction(n > 10, 4) for n in range(30))
PQ = (("x265-params", "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"),)


@pytest.mark.parametrize(
    "recipe",
    [
        {"name": "hdr.mp4", "codec": "libx265", "pix_fmt": "yuv420p10le", "options": PQ},
        {"name": "phone.mov", "codec": "libx265", "rotation_degrees": 90},
        {"name": "tape.ts", "codec": "mpeg2video", "start_seconds": Fraction(10), "audio": (LATE,)},
        {"name": "camera.avi", "codec": "mjpeg", "pix_fmt": "yuvj420p", "b_frames": 0},
        {"name": "screen.mkv", "codec": "libx265", "frame_times": UNEVEN},
        {"name": "eight.mov", "codec": "mpeg2video", "audio": (EIGHT,)},
    ],
    ids=lambda recipe: recipe["name"],
)
def test_a_small_copy_shows_each_frame_when_the_file_does(
    tmp_path: Path, recipe: dict[str, Any]
) -> None:
    video = make_video(tmp_path, **{"num_frames": 30, "width": 192, "height": 192, **recipe})
    copy = make_proxy(video, tmp_path / "copy.mp4")
    source, made = probe(video), probe(copy)
    assert (made.video_codec, made.frame_rate) == ("h264", source.frame_rate)
    assert (made.num_frames, made.video_start_seconds) == (source.num_frames, 0)
    assert (len(made.audio_streams), made.rotation_degrees) == (len(source.audio_streams), 0)
    turned = recipe.get("rotation_degrees", 0) // 90
    numbers = [
        [
            read_frame_number(np.rot90(still.rgb_HWC, turned))
            for still in read_stills(info, range(source.num_frames), height=192)
        ]
        for info in (source, made)
    ]
    assert numbers[0] == numbers[1]
    assert len(set(numbers[0])) > 15


def test_no_call_of_a_review_leads_outside(served: Served, opened: Any, footage: Path) -> None:
    secret = footage.parent / "secret.mp4"
    for path in (secret, f"{footage}/../secret.mp4", "/etc/passwd", "/dev/zero", "match.mp4", ""):
        reply = served.call("POST", "/v1/reviews", {"paths": [str(path)]})
        assert reply.status in (403, 422), path
    assert served.call("POST", "/v1/reviews", {"paths": [str(footage)]}).status == 400
    missing = served.call("POST", "/v1/reviews", {"paths": [str(footage / "gone.mp4")]})
    assert missing.status == 404
    assert served.call("POST", "/v1/reviews", {"paths": []}).status == 422
    model = {"paths": [str(footage / "match.mp4")], "model": "no-such-model"}
    assert served.call("POST", "/v1/reviews", model).status == 400
    for name in ("../../etc", "..%2f..%2fetc", "0" * 15, "Z" * 16, "0" * 17):
        for call in ("", "/media/0", "/video/0", "/proxy/0", "/export"):
            reply = served.call("GET", f"/v1/reviews/{name}{call}")
            assert reply.status in (404, 405, 422), name
    # Where a link is put in the place of a video, nothing of it is read.
    if sys.platform != "win32":
        video = make_video(footage, name="swapped.mp4")
        review = open_review(served, [video])
        address = served.call("GET", f"/v1/reviews/{review['id']}/media/0").json["address"]
        video.unlink()
        video.symlink_to(secret)
        for call in (address, f"/v1/reviews/{review['id']}/media/0"):
            assert served.call("GET", call).status == 403
        shown = served.call("GET", f"/v1/reviews/{review['id']}").json
        assert "outside the folders" in shown["videos"][0]["problem"]


def test_strangers_and_other_pages_get_nothing_of_a_review(served: Served, opened: Any) -> None:
    name = opened["id"]
    calls = [
        ("POST", "/v1/tickets"),
        ("POST", "/v1/reviews"),
        ("GET", "/v1/reviews"),
        ("GET", f"/v1/reviews/{name}"),
        ("PUT", f"/v1/reviews/{name}"),
        ("GET", f"/v1/reviews/{name}/media/0"),
        ("GET", f"/v1/reviews/{name}/video/0"),
        ("POST", f"/v1/reviews/{name}/proxy/0"),
        ("POST", f"/v1/reviews/{name}/export"),
        ("POST", f"/v1/reviews/{name}/render"),
        ("POST", f"/v1/reviews/{name}/learn"),
    ]
    for method, path in calls:
        assert served.call(method, path, {}, token=None).status == 401, path
        for origin in ("http://evil.example", "https://127.0.0.1", "http://127.0.0.1:1"):
            reply = served.call(method, path, {}, headers={"Origin": origin})
            assert reply.status == 403, (path, origin)
            assert "access-control-allow-origin" not in reply.headers
        if method != "GET":
            form = served.call(method, path, body=b"{}", headers={"Content-Type": "text/plain"})
            assert form.status == 415, path
    # Our own page is let in, under the name it was asked by, and still needs the token.
    for host in ("127.0.0.1", "localhost"):
        own = {"Host": f"{host}:{served.port}", "Origin": f"http://{host}:{served.port}"}
        assert served.call("GET", f"/v1/reviews/{name}", headers=own).status == 200
        assert served.call("GET", f"/v1/reviews/{name}", token=None, headers=own).status == 401
        mixed = {**own, "Host": "127.0.0.1:1"}
        assert served.call("GET", f"/v1/reviews/{name}", headers=mixed).status == 421
    crossed = {"Host": f"localhost:{served.port}", "Origin": f"http://127.0.0.1:{served.port}"}
    assert served.call("GET", f"/v1/reviews/{name}", headers=crossed).status == 403


def test_bodies_of_reviews_are_bounded(served: Served, opened: Any) -> None:
    name = opened["id"]
    for path in ("/v1/reviews", "/v1/tickets/redeem", f"/v1/reviews/{name}/export"):
        reply = served.call("POST", path, body=b" " * (guard.MAX_BODY_BYTES + 1))
        assert reply.status == 413, path
    too_long = {"Content-Length": str(guard.MAX_EDIT_BYTES + 1)}
    reply = served.call("PUT", f"/v1/reviews/{name}", body=b"{", headers=too_long)
    assert reply.status == 413
    # Five thousand moments fit.
    revision = served.call("GET", f"/v1/reviews/{name}").json["revision"]
    assert put(served, name, revision, edit_of(*[(0, 0.123456, 1.123456)] * 5000)).status == 200
    for broken in (b"", b"{", b"null", b"[" * 60000, b"\xff\xfe", b'{"revision": NaN}'):
        reply = served.call("PUT", f"/v1/reviews/{name}", body=broken)
        assert reply.status in (400, 422), broken
        assert b"Traceback" not in reply.body


def test_the_page_is_open_and_may_load_nothing_from_elsewhere(served: Served) -> None:
    page = served.call("GET", "/review/", token=None)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert served.call("GET", "/review/..%2fguard.py", token=None).status == 404
    assert served.call("GET", "/review/../v1/jobs", token=None).status in (401, 404)
    assert served.call("POST", "/review/", {}, token=None).status == 401


def test_a_ticket_gives_the_token_once(served: Served) -> None:
    ticket = served.call("POST", "/v1/tickets", {}).json["ticket"]
    reply = served.call("POST", "/v1/tickets/redeem", {"ticket": ticket}, token=None)
    assert (reply.status, reply.json) == (200, {"token": served.token, "protocol": 1})
    for wrong in (ticket, "x", "é" * 40, "\ud800"):
        again = served.call("POST", "/v1/tickets/redeem", {"ticket": wrong}, token=None)
        assert again.status in (400, 403, 422)
        assert "token" not in again.json


def test_tickets_grow_old_and_are_few() -> None:
    now = [0.0]
    tickets = Tickets("token", clock=lambda: now[0])
    issued = [tickets.issue() for _ in range(MAX_TICKETS + 1)]
    with pytest.raises(RequestError):
        tickets.redeem(issued[0])
    now[0] = LIFE_SECONDS - 1
    assert tickets.redeem(issued[1]) == "token"
    now[0] = LIFE_SECONDS + 1
    with pytest.raises(RequestError):
        tickets.redeem(issued[2])


def test_a_signature_is_of_path_and_parameters() -> None:
    address = signed("token", "/v1/a", {"of": "x y"})
    path, _, query = address.partition("?")
    assert is_signed("token", path, query)
    assert not is_signed("other", path, query)
    assert not is_signed("token", "/v1/b", query)
    assert not is_signed("token", path, query.replace("x", "z"))


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_kill_9_loses_nothing_that_was_confirmed(footage: Path, tmp_path: Path) -> None:
    confirmed: list[int] = []
    with serving(tmp_path / "cache", "--root", str(footage)) as served:
        review = open_review(served, [footage / "match.mp4"])
        name = review["id"]
        token = served.token
        # One connection that saves as fast as it can, and dies with the service in the middle.
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        revision = review["revision"]
        try:
            while True:
                edit = edit_of((0, revision * 0.001, 5))
                body = json.dumps({"revision": revision, "edit": edit})
                connection.request("PUT", f"/v1/reviews/{name}", body, headers)
                if revision == 25:
                    os.kill(served.process.pid, signal.SIGKILL)
                reply = connection.getresponse()
                answer = json.loads(reply.read())
                assert reply.status == 200, answer
                revision = answer["revision"]
                confirmed.append(revision)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        served.process.wait(30)
    assert len(confirmed) >= 25
    with serving(tmp_path / "cache", "--root", str(footage)) as served:
        kept = served.call("GET", f"/v1/reviews/{name}").json
        # The last one may have been kept without the answer having got through.
        assert kept["revision"] in (confirmed[-1], confirmed[-1] + 1)
        start = kept["edit"]["moments"][0]["start_seconds"]
        assert start == pytest.approx((kept["revision"] - 1) * 0.001)
        assert put(served, name, kept["revision"], kept["edit"]).status == 200


def test_a_review_that_cannot_be_read_is_kept_and_named(tmp_path: Path) -> None:
    store = ReviewStore(tmp_path / "reviews")
    identity = "a" * 64
    name = review_id([identity])
    store.save(Review(id=name, videos=(ReviewVideo(identity=identity, path="/a.mp4"),)))
    path = store.folder_of(name) / "review.json"
    whole = path.read_text()
    assert store.load(name) is not None
    for bad in ("", "[]", whole.replace("hl.review/1", "hl.review/2"), whole[:-20], "[" * 100_000):
        path.write_text(bad)
        with pytest.raises(RequestError, match=r"review\.json cannot be read"):
            store.load(name)
        assert path.read_text() == bad
        assert store.all() == []
    assert store.load("b" * 16) is None


def test_marks_are_what_is_kept_and_what_is_not() -> None:
    document = make_document()
    edit = Edit(
        moments=[
            EditMoment(id="a", video=0, start_seconds=1.0, end_seconds=3.0, keep=True),
            EditMoment(id="b", video=0, start_seconds=2.0, end_seconds=4.0, keep=False),
        ],
        avoid=[Avoided(video=0, start_seconds=0.0, end_seconds=1.5)],
    )
    rows = list(csv.reader(marks_table(edit, [document]).splitlines()))
    path = document.video.path
    assert rows == [
        ["file", "start", "end", "label"],
        [path, "0.000000", "1.000000", "drop"],
        [path, "1.000000", "3.000000", "keep"],
        [path, "3.000000", "4.000000", "drop"],
    ]
    with pytest.raises(OutputError, match="nothing to learn"):
        marks_table(Edit(), [document])


def test_kept_moments_may_touch() -> None:
    document = make_document()
    edit = Edit(
        moments=[
            EditMoment(id="a", video=0, start_seconds=2.0, end_seconds=3.0, keep=True),
            EditMoment(id="b", video=0, start_seconds=1.0, end_seconds=2.0000005, keep=True),
        ]
    )
    (found,) = edited_documents(edit, [document])
    spans = [(one.start_seconds, one.end_seconds) for one in found.moments]
    assert spans == [(1.0, 2.0000005), (2.0000005, 3.0)]
    first = found.moments[0]
    assert first.score == pytest.approx(document.scores[1], abs=1e-5)
    assert 1.0 <= first.peak_seconds <= 2.0000005
    with pytest.raises(ValidationError):
        EditMoment(id="a b", video=0, start_seconds=2.0, end_seconds=3.0, keep=True)


def run_review(cache: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "hlcli", "review", "--no-browser", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"HL_CACHE_DIR": str(cache), "HL_OFFLINE": "1", "NO_COLOR": "1"},
    )


def entered(address: str) -> tuple[Any, str]:
    """Trade the ticket of an address as the page does; returns the review and the token."""
    parts = urlsplit(address)
    fragment = {name: value[0] for name, value in parse_qs(parts.fragment).items()}
    assert parts.path == "/review/"

    def call(method: str, path: str, value: Any = None, token: str = "") -> Any:
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        headers = {"Content-Type": "application/json", "Origin": f"http://{parts.netloc}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, json.dumps(value) if value else None, headers)
            answer = connection.getresponse()
            assert answer.status == 200
            return json.loads(answer.read())
        finally:
            connection.close()

    token = call("POST", "/v1/tickets/redeem", {"ticket": fragment["ticket"]})["token"]
    return call("GET", f"/v1/reviews/{fragment['review']}", token=token), token


def test_the_command_runs_until_ctrl_c(footage: Path, tmp_path: Path) -> None:
    process = run_review(tmp_path, str(footage / "match.mp4"))
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        review, token = entered(address)
        assert [one["name"] for one in review["videos"]] == ["match.mp4"]
        # The token stands in no address.
        assert token not in address
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert words.splitlines() == ["Ctrl-C ends it; what you decided is kept", "stopped"]
    assert not (tmp_path / "serve/address").exists()


def test_the_command_uses_a_service_that_runs(
    served: Served, footage: Path, tmp_path: Path
) -> None:
    # Outside the roots of that service: the user named it.
    video = make_video(tmp_path, name="card.mp4")
    process = run_review(served.cache, str(video))
    out, words = process.communicate(timeout=60)
    assert (process.returncode, words) == (
        0,
        "hl serve is running already and shows the page\n",
    )
    assert out.startswith(f"http://127.0.0.1:{served.port}/review/#review=")
    review, token = entered(out.strip())
    assert (review["videos"][0]["problem"], token) == (None, served.token)


def test_what_the_command_cannot_show_is_an_error(tmp_path: Path) -> None:
    gone = CliRunner().invoke(app, ["review", str(tmp_path / "gone.mp4")])
    assert (gone.exit_code, "no such file" in gone.output) == (3, True)
    # Known only when the service runs, which ends then.
    process = run_review(tmp_path / "cache", str(make_video(tmp_path)), "--model", "no-such-model")
    out, words = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, ""), words
    assert "no-such-model" in words
    assert "Traceback" not in words
