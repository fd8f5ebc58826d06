"""`hl serve` as a panel sees it: pair, score, choose, look, export, render, cancel."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

import pytest
from document_factory import make_document
from finetune_factory import make_take
from media_factory import AudioTrack, click_track, make_video
from PIL import Image
from render_factory import ffmpeg
from serve_factory import Served, serving
from typer.testing import CliRunner

from hlcli import __version__
from hlcli.cli import app
from hlcli.document import ScoresDocument
from hlcli.serve.pairing import LIFE_SECONDS, MAX_TRIES, Pairing
from hlcli.serve.refusal import RequestError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("footage") / "shots \u00e9 #1"
    folder.mkdir()
    sound = AudioTrack(click_track(6.0, (3.0,)))
    make_video(folder, name="match.mp4", num_frames=180, audio=(sound,))
    return folder.resolve()


@pytest.fixture(scope="module")
def served(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("cache"), "--root", str(footage)) as running:
        yield running


@pytest.fixture(scope="module")
def scored(served: Served, footage: Path) -> str:
    job = served.post(
        "score", [footage / "match.mp4"], top=1, handles="0s", for_=["premiere", "resolve"]
    )
    assert job["state"] == "queued"
    assert (job["position"], job["stage"], job["total"]) == (0, "", 0.0)
    done = served.wait(job["id"])
    assert done["state"] == "done", (done, served.words)
    return str(done["id"])


def test_the_terminal_says_what_a_user_needs(served: Served, footage: Path) -> None:
    assert served.words[:3] == [
        f"listening on http://127.0.0.1:{served.port}",
        f"panels may use {footage}",
        f"the token is in {served.cache / 'serve/token'}",
    ]
    assert served.code is not None
    assert len(served.code) == 6


def test_about_needs_no_token(served: Served) -> None:
    reply = served.call("GET", "/v1/about", token=None)
    about = reply.json
    assert about.pop("pairing") in ("open", "closed")
    assert about == {"name": "hl", "version": __version__, "protocol": 1}
    assert reply.headers["content-type"] == "application/json"
    assert "server" not in reply.headers


def test_a_code_becomes_the_token_once(served: Served) -> None:
    assert served.code is not None
    spaced = f"{served.code[:3]} {served.code[3:]}"
    reply = served.call("POST", "/v1/pair", {"code": spaced}, token=None)
    assert (reply.status, reply.json) == (200, {"token": served.token, "protocol": 1})
    again = served.call("POST", "/v1/pair", {"code": served.code}, token=None)
    assert (again.status, again.json["message"]) == (403, "pairing is closed")
    assert served.call("GET", "/v1/about", token=None).json["pairing"] == "closed"


def test_a_video_is_scored_and_timelines_are_written(
    served: Served, scored: str, footage: Path
) -> None:
    job = served.job(scored)
    own = served.jobs_folder / scored / "files"
    assert job["results"] == {
        "files": [
            str(own / "match-highlights.premiere.otio"),
            str(own / "match-highlights.resolve.otio"),
        ],
        "num_scores": 1,
        "model": None,
    }
    assert (job["error"], job["problems"], job["interruptions"]) == (None, [], 0)
    assert job["paths"] == [str(footage / "match.mp4")]
    assert job["options"] == {"top": 1, "handles": "0s", "for": ["premiere", "resolve"]}
    for path in job["results"]["files"]:
        assert json.loads(Path(path).read_text())["OTIO_SCHEMA"] == "Timeline.1"


def test_scores_are_documents_and_a_slider_chooses_anew(served: Served, scored: str) -> None:
    (document,) = served.call("GET", f"/v1/jobs/{scored}/scores").json["documents"]
    read = ScoresDocument.from_json(document, source="the service")
    assert (len(read.scores), len(read.moments)) == (6, 1)
    reply = served.call(
        "GET", f"/v1/jobs/{scored}/scores?threshold=0&handles=0s&max_duration=2s&min_duration=1s"
    )
    (chosen,) = reply.json["documents"]
    # All six seconds but a fifth of one, which is too short to be a moment beside a cut.
    kept = sum(one["end_seconds"] - one["start_seconds"] for one in chosen["moments"])
    assert kept == pytest.approx(5.8)
    assert chosen["scores"] == document["scores"]
    both = served.call("GET", f"/v1/jobs/{scored}/scores?top=1&threshold=0.5")
    assert (both.status, both.json["exit_code"]) == (400, 2)
    wrong = served.call("GET", f"/v1/jobs/{scored}/scores?handles=soon")
    assert (wrong.status, wrong.json["message"]) == (400, "handles: 'soon' is not a duration")


def test_a_job_without_scores_has_none(served: Served, footage: Path, tmp_path: Path) -> None:
    (footage / "broken.mp4").write_bytes(b"no video")
    failed = served.wait(served.post("score", [footage / "broken.mp4"])["id"])
    assert (failed["state"], failed["error"]["exit_code"]) == ("failed", 3)
    assert "broken.mp4" in failed["error"]["message"]
    reply = served.call("GET", f"/v1/jobs/{failed['id']}/scores")
    assert (reply.status, reply.json["message"]) == (409, "the job is failed and has no scores")


def test_one_bad_video_does_not_stop_the_others(served: Served, scored: str, footage: Path) -> None:
    (footage / "bad.mp4").write_bytes(b"no video")
    job = served.wait(served.post("score", [footage / "bad.mp4", footage / "match.mp4"])["id"])
    assert (job["state"], job["results"]["num_scores"]) == ("done", 1)
    (problem,) = job["problems"]
    assert problem["exit_code"] == 3
    assert "bad.mp4" in problem["message"]


def test_thumbnails_are_upright_jpeg_of_the_height_asked_for(served: Served, footage: Path) -> None:
    where = f"/v1/thumbnail?path={quote(str(footage / 'match.mp4'))}"
    reply = served.call("GET", f"{where}&seconds=2.5&height=48")
    assert (reply.status, reply.headers["content-type"]) == (200, "image/jpeg")
    with Image.open(io.BytesIO(reply.body)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (80, 48))
    # Past the end is the last frame.
    last = served.call("GET", f"{where}&seconds=5.99&height=48")
    assert served.call("GET", f"{where}&seconds=900&height=48").body == last.body
    (footage / "torn.mp4").write_bytes(b"no video")
    torn = served.call("GET", f"/v1/thumbnail?path={quote(str(footage / 'torn.mp4'))}&seconds=0")
    assert (torn.status, torn.json["exit_code"]) == (404, None)


def test_export_cuts_again_and_render_makes_the_film(
    served: Served, scored: str, footage: Path
) -> None:
    timeline = footage / "cut.otio"
    job = served.wait(
        served.post("export", [footage / "match.mp4"], top=1, output=str(timeline))["id"]
    )
    assert (job["state"], job["results"]["files"]) == ("done", [str(timeline)])
    taken = served.call(
        "POST",
        "/v1/jobs",
        {
            "kind": "export",
            "paths": [str(footage / "match.mp4")],
            "options": {"output": str(timeline)},
        },
    )
    assert (taken.status, taken.json["message"]) == (409, f"{timeline} is there already")
    film = served.wait(served.post("render", [timeline], size="64x48")["id"])
    assert film["state"] == "done", film
    (path,) = film["results"]["files"]
    assert Path(path) == served.jobs_folder / film["id"] / "files/cut.mp4"
    assert Path(path).stat().st_size > 1000
    assert not (served.jobs_folder / film["id"] / "tmp").exists()
    (footage / "cut.srt").write_text("1\n00:00:00,000 --> 00:00:06,000\nhello\n")
    options = {"captions": [str(footage / "cut.srt")], "music": str(footage / "match.mp4")}
    film = served.wait(served.post("render", [timeline], size="64x48", each=True, **options)["id"])
    assert film["state"] == "done", film
    assert [Path(one).name for one in film["results"]["files"]] == ["cut-01.mp4"]
    assert not any("captions" in remark for remark in film["remarks"])
    # A film of many names is asked for, too, before one of them is written over.
    (footage / "reel-07.mp4").write_bytes(b"x")
    value = {
        "kind": "render",
        "paths": [str(timeline)],
        "options": {"each": True, "output": str(footage / "reel.mp4")},
    }
    taken = served.call("POST", "/v1/jobs", value)
    assert (taken.status, taken.json["message"]) == (
        409,
        f"{footage / 'reel-07.mp4'} is there already",
    )
    (footage / "reel-07.mp4").unlink()


def test_pins_marks_and_transcripts_count_as_on_the_command_line(
    served: Served, scored: str, footage: Path
) -> None:
    (footage / "match.marks.txt").write_text("0:01 here\n")
    (footage / "said.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:02.000\na goal\n")
    options = {
        "pin": ["0:01-0:02"],
        "marks": "strong",
        "transcript": [str(footage / "said.vtt")],
        "handles": 0,
        "top": 1,
        "output": "said.srt",
    }
    job = served.wait(served.post("score", [footage / "match.mp4"], **options)["id"])
    (footage / "match.marks.txt").unlink()
    assert job["state"] == "done", job
    (document,) = served.call("GET", f"/v1/jobs/{job['id']}/scores").json["documents"]
    assert [mark["name"] for mark in document["marks"]] == ["here"]
    assert [one["text"] for one in document["transcript"]] == ["a goal"]
    moments = {(one["start_seconds"], one["end_seconds"]) for one in document["moments"]}
    assert (1.0, 2.0) in moments
    assert "a goal" in Path(job["results"]["files"][0]).read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_film_is_found_in_its_footage(served: Served, scored: str, footage: Path) -> None:
    film = footage / "copy" / "film.mov"
    film.parent.mkdir()
    ffmpeg("-i", footage / "match.mp4", "-c", "copy", film)
    value = {"film": str(film), "output": "found.otio"}
    job = served.wait(served.post("match", [footage / "match.mp4"], **value)["id"])
    film.unlink()
    assert job["state"] == "done", job
    assert [Path(one).name for one in job["results"]["files"]] == ["found.otio"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_timelines_call_media_what_the_editor_calls_it(
    served: Served, scored: str, footage: Path
) -> None:
    (footage / "linked.mp4").symlink_to(footage / "match.mp4")
    posted = served.post("export", [footage / "linked.mp4"], top=1, for_="resolve")
    job = served.wait(posted["id"])
    assert job["paths"] == [str(footage / "match.mp4")]
    (path,) = job["results"]["files"]
    assert Path(path).name == "linked-highlights.otio"
    assert str(footage / "linked.mp4") in Path(path).read_text(encoding="utf-8")
    (document,) = served.call("GET", f"/v1/jobs/{job['id']}/scores").json["documents"]
    assert document["video"]["path"] == str(footage / "linked.mp4")


def test_a_timeline_may_not_bring_in_media_from_outside(
    served: Served, footage: Path, tmp_path: Path
) -> None:
    outside = make_video(tmp_path, name="secret.mp4")
    document = make_document(path=str(outside), num_frames=60)
    document.write(tmp_path / "scores.json")
    done = CliRunner().invoke(
        app, ["export", str(tmp_path / "scores.json"), "-o", str(footage / "evil.otio")]
    )
    assert done.exit_code == 0, done.output
    job = served.wait(served.post("render", [footage / "evil.otio"])["id"])
    assert job["state"] == "failed"
    assert "outside the folders" in job["error"]["message"]
    assert job["results"]["files"] == []


def test_picked_files_may_be_read_and_no_others(served: Served, tmp_path: Path) -> None:
    video = make_video(tmp_path, name="card.mp4").resolve()
    other = make_video(tmp_path, name="other.mp4").resolve()
    where = f"/v1/thumbnail?path={quote(str(video))}&seconds=0"
    assert served.call("GET", where).status == 403
    reply = served.call("POST", "/v1/picked", {"paths": [str(video)]})
    assert (reply.status, reply.json) == (200, {"picked": [str(video)]})
    assert served.call("GET", where).status == 200
    assert served.call("GET", where.replace("card", "other")).status == 403
    (tmp_path / "key.pem").write_text("secret")
    for path, status in (
        (tmp_path / "key.pem", 403),
        (tmp_path, 403),
        (tmp_path / "gone.mp4", 404),
        (Path("card.mp4"), 403),
    ):
        mixed = served.call("POST", "/v1/picked", {"paths": [str(other), str(path)]})
        assert mixed.status == status, path
    assert served.call("GET", where.replace("card", "other")).status == 403


def test_events_end_with_the_job(served: Served, scored: str, footage: Path) -> None:
    job = served.post("export", [footage / "match.mp4"], top=1)
    reply = served.call("GET", f"/v1/jobs/{job['id']}/events")
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = [part for part in reply.body.decode().split("\n\n") if part]
    assert all(part.startswith("event: job\ndata: {") for part in events)
    last = json.loads(events[-1].split("data: ", 1)[1])
    assert (last["id"], last["state"]) == (job["id"], "done")
    assert last == served.job(job["id"])


def test_jobs_wait_their_turn_and_can_be_cancelled(served: Served, footage: Path) -> None:
    first, second, third = (
        served.post("score", [footage / "match.mp4"], no_cache=True) for _ in range(3)
    )
    served.wait(first["id"], "running")
    assert served.job(third["id"])["position"] == 1
    gone = served.call("DELETE", f"/v1/jobs/{second['id']}").json
    assert (gone["state"], gone["position"]) == ("cancelled", None)
    assert served.job(third["id"])["position"] == 0
    assert served.call("DELETE", f"/v1/jobs/{first['id']}").status == 200
    assert served.wait(first["id"])["state"] == "cancelled"
    served.wait(third["id"], "running")
    served.call("DELETE", f"/v1/jobs/{third['id']}")
    ended = served.wait(third["id"])
    assert (ended["state"], ended["error"]) == ("cancelled", None)
    # Nothing changes any more.
    assert served.call("DELETE", f"/v1/jobs/{third['id']}").json == ended
    listed = served.call("GET", "/v1/jobs?state=cancelled").json["jobs"]
    assert [job["id"] for job in listed] == [third["id"], second["id"], first["id"]]


def test_a_model_learns_what_was_marked(
    served: Served, footage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HL_CACHE_DIR", str(served.cache))
    raw = footage / "raw"
    takes = [make_take(raw, number) for number in range(2)]
    marks = raw / "marks.csv"
    marks.write_text(
        "file,start,end,label\n"
        + "".join(f"{take.name},0,10,keep\n{take.name},20,40,drop\n" for take in takes)
    )
    options = {"name": "taught", "labels": [str(marks)]}
    job = served.wait(served.post("finetune", [raw], **options)["id"])
    assert (job["state"], job["results"]["model"]) == ("done", "taught"), job
    assert (served.cache / "own-models/taught").is_dir()
    taken = {"kind": "finetune", "paths": [str(raw)], "options": {"name": "taught"}}
    assert served.call("POST", "/v1/jobs", taken).json["exit_code"] == 2


def test_words_are_found_in_what_may_be_read(served: Served, footage: Path) -> None:
    video = footage / "match.mp4"
    captions = footage / "match.srt"
    captions.write_text("1\n00:00:02,000 --> 00:00:04,000\na squirrel jumps\n")
    job = served.wait(served.post("find", [video], words="squirrel", top=3)["id"])
    captions.unlink()
    assert (job["state"], job["results"]["num_scores"]) == ("done", 1), job
    (document,) = served.call("GET", f"/v1/jobs/{job['id']}/scores").json["documents"]
    (moment,) = document["moments"]
    assert moment["reasons"] == ['"a squirrel jumps"']
    assert moment["start_seconds"] == pytest.approx(1.5)
    nothing = served.wait(served.post("find", [video], words="zeppelin")["id"])
    assert (nothing["state"], nothing["results"]["num_scores"]) == ("done", 0)
    assert served.call("GET", f"/v1/jobs/{nothing['id']}/scores").status == 409


@pytest.mark.parametrize(
    ("request_body", "status"),
    [
        ({"kind": "score", "paths": []}, 422),
        ({"kind": "bake", "paths": ["x"]}, 422),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"colour": 1}}, 422),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"top": "many"}}, 422),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"top": 1, "threshold": 0.5}}, 400),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"for": "paint"}}, 400),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"frame_rate": "1e999999"}}, 400),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"output": "FOOTAGE/match.mp4"}}, 400),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"output": "/x.otio"}}, 403),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"output": "../x.otio"}}, 403),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"output": ".x.otio"}}, 403),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"output": "x.exe"}}, 400),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"output": "FOOTAGE"}}, 400),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"output": "FOOTAGE/x.exe"}}, 400),
        ({"kind": "render", "paths": ["FOOTAGE"], "options": {"output": "FOOTAGE/x.otio"}}, 400),
        ({"kind": "render", "paths": ["FOOTAGE"], "options": {"copy": True, "quality": 9}}, 400),
        ({"kind": "render", "paths": ["FOOTAGE"], "options": {"encoder": "a -y /etc/x"}}, 422),
        ({"kind": "finetune", "paths": ["FOOTAGE"]}, 422),
        ({"kind": "find", "paths": ["FOOTAGE"]}, 422),
        ({"kind": "find", "paths": ["FOOTAGE"], "options": {"words": "the"}}, 400),
        ({"kind": "find", "paths": ["FOOTAGE"], "options": {"words": "dog", "top": 0}}, 422),
        ({"kind": "find", "paths": ["FOOTAGE"], "options": {"words": "dog", "output": "x"}}, 422),
        ({"kind": "find", "paths": ["/etc"], "options": {"words": "dog"}}, 403),
        ({"kind": "score", "paths": ["FOOTAGE/*.mp4"]}, 404),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"like": ["/etc"]}}, 403),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"transcript": ["/etc/x.srt"]}}, 403),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"marks": "loud"}}, 400),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"pin": ["soon"]}}, 400),
        ({"kind": "score", "paths": ["FOOTAGE"], "options": {"proxies": "some"}}, 422),
        ({"kind": "export", "paths": ["FOOTAGE"], "options": {"rejects": "/x.otio"}}, 403),
        ({"kind": "export", "paths": ["FOOTAGE"], "options": {"rejects": "x.exe"}}, 400),
        ({"kind": "render", "paths": ["FOOTAGE"], "options": {"music": "/etc/passwd"}}, 403),
        ({"kind": "render", "paths": ["FOOTAGE"], "options": {"captions": ["../a.srt"]}}, 403),
        ({"kind": "render", "paths": ["FOOTAGE"], "options": {"font": "FOOTAGE/match.mp4"}}, 400),
        ({"kind": "render", "paths": ["FOOTAGE"], "options": {"music_level": 3}}, 400),
        (
            {
                "kind": "finetune",
                "paths": ["FOOTAGE"],
                "options": {"name": "x", "from_film": ["/etc"]},
            },
            403,
        ),
        ({"kind": "match", "paths": ["FOOTAGE"]}, 422),
        ({"kind": "match", "paths": ["FOOTAGE"], "options": {"film": "/etc/passwd"}}, 403),
        (
            {
                "kind": "match",
                "paths": ["FOOTAGE"],
                "options": {"film": "FOOTAGE/match.mp4", "output": "FOOTAGE/match.mp4"},
            },
            400,
        ),
    ],
)
def test_what_can_be_known_at_once_is_said_at_once(
    served: Served, footage: Path, request_body: object, status: int
) -> None:
    text = json.dumps(request_body).replace("FOOTAGE", json.dumps(str(footage))[1:-1])
    before = len(served.call("GET", "/v1/jobs").json["jobs"])
    reply = served.call("POST", "/v1/jobs", body=text.encode())
    assert reply.status == status, reply.body
    assert sorted(reply.json) == ["exit_code", "hint", "message"]
    assert len(served.call("GET", "/v1/jobs").json["jobs"]) == before


def test_the_openapi_document_knows_the_calls_and_the_token(served: Served) -> None:
    document = served.call("GET", "/openapi.json").json
    assert document["components"]["securitySchemes"] == {
        "token": {"type": "http", "scheme": "bearer"}
    }
    assert document["security"] == [{"token": []}]
    described = {
        f"{method.upper()} {re.sub('{(job|review)_id}', 'ID', path).replace('{number}', 'N')}"
        for path, calls in document["paths"].items()
        for method in calls
    }
    protocol = (ROOT / "plugins/PROTOCOL.md").read_text(encoding="utf-8")
    headings = {
        line[3:]
        for line in protocol.splitlines()
        if line.startswith(("## GET", "## POST", "## PUT", "## DELETE"))
    }
    assert described == headings


def test_every_example_of_the_protocol_is_accepted_as_json() -> None:
    text = (ROOT / "plugins/PROTOCOL.md").read_text(encoding="utf-8")
    examples = [part.split("```")[0] for part in text.split("```json\n")[1:]]
    assert len(examples) >= 5
    for example in examples:
        json.loads(example)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps others out of the profile")
def test_nobody_else_can_read_token_and_jobs(served: Served) -> None:
    assert stat.S_IMODE((served.cache / "serve").stat().st_mode) == 0o700
    assert stat.S_IMODE((served.cache / "serve/token").stat().st_mode) == 0o600


def test_a_second_service_is_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HL_CACHE_DIR", str(served.cache))
    done = CliRunner().invoke(app, ["serve", "--port", "0"])
    assert (done.exit_code, done.output.splitlines()[0]) == (
        6,
        "error: hl serve is running already",
    )


def test_a_port_that_is_taken_is_said(served: Served, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["serve", "--port", str(served.port)])
    assert done.exit_code == 2
    assert done.output.startswith(f"error: cannot listen on port {served.port}")
    missing = CliRunner().invoke(app, ["serve", "--root", str(tmp_path / "gone")])
    assert missing.exit_code == 2


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["serve"])
    assert done.exit_code == 2
    assert 'pip install "hlcli[serve]"' in done.output


def test_codes_run_out_and_lock() -> None:
    now = [0.0]
    paired = []
    late = Pairing("t", is_open=True, clock=lambda: now[0], on_pair=lambda: paired.append(1))
    assert late.code is not None
    now[0] = LIFE_SECONDS
    assert late.state == "closed"
    with pytest.raises(RequestError, match="closed"):
        late.pair(late.code)
    tried = Pairing("t", is_open=True)
    assert tried.code is not None
    wrong = f"{(int(tried.code) + 1) % 10**6:06d}"
    for left in range(MAX_TRIES - 1, -1, -1):
        with pytest.raises(RequestError) as refused:
            tried.pair(wrong)
        assert refused.value.status == 403
        assert refused.value.hint.startswith(f"{left} ")
    with pytest.raises(RequestError) as refused:
        tried.pair(tried.code)
    assert (refused.value.status, tried.state, paired) == (429, "locked", [])


def test_ctrl_c_ends_it_with_words_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "footage").mkdir()
    document = make_document(frame_rate=Fraction(25))
    document.write(tmp_path / "footage/scores.json")
    with serving(tmp_path / "cache", "--root", str(tmp_path / "footage")) as served:
        job = served.wait(served.post("export", [tmp_path / "footage/scores.json"])["id"])
        assert job["state"] == "done"
        assert served.stop() == 0
    assert served.words[-1] == "stopped"
    assert served.words[-2] == "export scores.json: done"
    left = {
        str(path.relative_to(served.cache / "serve"))
        for path in (served.cache / "serve").rglob("*")
        if path.is_file()
    }
    folder = f"jobs/{job['id']}"
    assert {os.fspath(Path(name)) for name in left} == {
        os.fspath(Path(name))
        for name in (
            "lock",
            "light.lock",
            "token",
            f"{folder}/job.json",
            f"{folder}/scores.json",
            f"{folder}/worker.log",
        )
    }
