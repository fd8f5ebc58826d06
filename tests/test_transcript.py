"""Transcripts: what is read, whole sentences, and captions of the cut."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction
from pathlib import Path

import pytest
from cli_runner import run
from document_factory import make_document

from hlcli.document import Caption, ScoresDocument, find_moments, read_transcript
from hlcli.errors import DocumentError
from hlcli.moments import Selection
from hlcli.timeline.formats import write_format

SRT = """1
00:00:01,000 --> 00:00:02,500
We measured the pressure.

2
00:00:03,000 --> 00:00:04,000
<i>Then</i> {\\an8}we went
to lunch &amp; slept.
"""
VTT = """WEBVTT - a talk

NOTE
made by hand --> not a cue

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 align:start position:0%
<v Anna>We <00:01.500><c>measured</c> the pressure.

00:00:03.000 --> 00:00:04.000
Then we went
to lunch &amp; slept.
"""
WORDS = [("We", 1.0, 1.4), ("measured", 1.4, 2.0), ("it.", 2.0, 2.5)]


def whisper(*, words: bool) -> dict[str, object]:
    segment: dict[str, object] = {"id": 0, "start": 1.0, "end": 2.5, "text": " We measured it."}
    if words:
        segment["words"] = [
            {"word": f" {word}", "start": start, "end": end, "probability": 0.9}
            for word, start, end in WORDS
        ]
    return {"text": " We measured it.", "segments": [segment], "language": "en"}


def written(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


# Reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "text"), [("a.srt", SRT), ("a.vtt", VTT)])
def test_cues_are_read(tmp_path: Path, name: str, text: str) -> None:
    first, second = read_transcript(written(tmp_path, name, text))
    assert (first.start_seconds, first.end_seconds) == (1.0, 2.5)
    assert first.text == "We measured the pressure."
    assert second.text == "Then we went\nto lunch & slept."


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_encodings_of_old_programs_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.SRT"
    text = "1\r\n1:00:01,5 --> 1:00:02,500\r\nC\u2019est \u00e7a\r\n\r\n"
    path.write_bytes(text.encode(encoding))
    [caption] = read_transcript(path)
    assert caption == Caption(start_seconds=3601.5, end_seconds=3602.5, text="C\u2019est \u00e7a")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (whisper(words=False), []),
        (whisper(words=True), WORDS),
        (whisper(words=True)["segments"], WORDS),
        # The API of OpenAI has the words beside the segments, or alone.
        (
            whisper(words=False)
            | {"words": [{"word": w, "start": s, "end": e} for w, s, e in WORDS]},
            WORDS,
        ),
        ({"words": [{"word": w, "start": s, "end": e} for w, s, e in WORDS]}, WORDS),
        # whisper.cpp counts in milliseconds.
        (
            {
                "transcription": [
                    {"offsets": {"from": 1000, "to": 2500}, "text": " We measured it."}
                ]
            },
            [],
        ),
        # Vosk, and a word to which whisperX gave no time.
        (
            [
                {
                    "content": "We measured it.",
                    "start": 1.0,
                    "end": 2.5,
                    "words": [{"word": w, "start": s, "end": e, "conf": 1.0} for w, s, e in WORDS]
                    + [{"word": "1984"}],
                }
            ],
            WORDS,
        ),
    ],
)
def test_json_of_recognisers_is_read(
    tmp_path: Path, content: object, words: list[tuple[str, float, float]]
) -> None:
    [caption] = read_transcript(written(tmp_path, "a.json", content))
    assert (caption.start_seconds, caption.end_seconds) == (1.0, 2.5)
    assert caption.text == "We measured it."
    assert list(caption.words) == [(start, end, word) for word, start, end in words]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.srt", "", "is no transcript: it has no line with times"),
        ("a.srt", "00:00:03,000 --> 00:00:01,000\nbackwards", "has no line with times"),
        ("a.txt", SRT, "is no transcript: .txt"),
        ("a.json", "{", "is no transcript: "),
        ("a.json", "[1]", "is no transcript: segment 1 is 1"),
        ("a.json", '[{"start": NaN, "end": 1, "text": "x"}]', "segment 1 has no start, end and"),
        ("a.json", '[{"start": 2, "end": 1, "text": "x"}]', "segment 1 has no start, end and"),
        ("a.json", make_document().to_json(), "it has no list of segments"),
    ],
)
def test_what_is_no_transcript_is_one_error(
    tmp_path: Path, name: str, content: object, words: str
) -> None:
    path = written(tmp_path, name, content)
    with pytest.raises(DocumentError) as caught:
        read_transcript(path)
    assert str(path) in caught.value.message
    assert words in caught.value.message
    assert caught.value.hint
    with pytest.raises(DocumentError, match="does not exist"):
        read_transcript(tmp_path / "none.srt")


# Moments and captions ------------------------------------------------------------------------


def said(*parts: tuple[float, float, str], words: bool = False) -> tuple[Caption, ...]:
    captions = []
    for start, end, text in parts:
        each = (end - start) / len(text.split())
        spans = tuple(
            (start + index * each, start + (index + 1) * each, word)
            for index, word in enumerate(text.split())
        )
        captions.append(
            Caption(
                start_seconds=start,
                end_seconds=end,
                text=text,
                words=spans if words else (),
            )
        )
    return tuple(captions)


SENTENCES = said(
    (0.5, 3.5, "This is before."),
    (4.0, 8.0, "It begins here and"),
    (8.2, 12.0, "goes on up to here."),
    (12.4, 15.5, "Then this comes."),
    words=True,
)


def talk(transcript: tuple[Caption, ...]) -> ScoresDocument:
    document = make_document(
        num_frames=600, scores=[0.1] * 6 + [0.9] * 4 + [0.1] * 10, spans=[(4.0, 12.0)]
    )
    return dataclasses.replace(document, transcript=transcript)


def test_moments_hold_whole_sentences_where_they_fit() -> None:
    [moment] = find_moments(talk(SENTENCES), Selection(top=1))
    # 5.5 to 10.5 before: the sentence goes from 4 to 12.
    assert (moment.start_seconds, moment.end_seconds) == pytest.approx((3.85, 12.15))
    [moment] = find_moments(talk(SENTENCES), Selection(top=1, max_duration_seconds=5))
    # No room: between two words at least.
    edges = [edge for caption in SENTENCES for word in caption.words for edge in word[:2]]
    for end in (moment.start_seconds, moment.end_seconds):
        assert min(abs(end - edge) for edge in edges) < 0.16
    assert moment.duration_seconds <= 6


def test_without_words_the_sound_says_where_the_sentence_ends() -> None:
    captions = said((0.5, 3.5, "This is before."), (4.0, 12.0, "It begins here, and ends here."))
    document = dataclasses.replace(
        talk(captions), speech=((0.4, 3.2), (4.4, 7.0), (7.5, 11.6), (12.5, 19.0))
    )
    [moment] = find_moments(document, Selection(top=1))
    assert (moment.start_seconds, moment.end_seconds) == pytest.approx((4.25, 11.75))


def test_a_transcript_without_full_stops_ends_at_pauses() -> None:
    captions = said((3.0, 6.0, "a b c"), (6.5, 9.5, "d e f"), (9.5, 12.0, "g h"), words=True)
    [moment] = find_moments(talk(captions), Selection(top=1))
    assert (moment.start_seconds, moment.end_seconds) == pytest.approx((6.15, 12.15))


def test_captions_of_the_cut(tmp_path: Path) -> None:
    document = make_document(
        num_frames=600, frame_rate=Fraction(30), spans=[(4.0, 7.0), (8.5, 12.0)]
    )
    document = dataclasses.replace(document, transcript=SENTENCES)
    write_format(tmp_path / "a.srt", [document])
    assert (tmp_path / "a.srt").read_text("utf-8") == (
        "1\n00:00:00,000 --> 00:00:03,000\nIt begins here\n\n"
        "2\n00:00:03,000 --> 00:00:06,500\ngoes on up to here.\n"
    )
    no_words = dataclasses.replace(
        document, transcript=said((4.0, 8.0, "Up & <away>"), (11.9, 15.0, "not this"))
    )
    write_format(tmp_path / "a.vtt", [no_words])
    assert (tmp_path / "a.vtt").read_text("utf-8") == (
        "WEBVTT\n\n1\n00:00:00.000 --> 00:00:03.000\nUp &amp; &lt;away&gt;\n"
    )


# Commands ------------------------------------------------------------------------------------


def exported(tmp_path: Path, document: ScoresDocument, *more: object) -> tuple[int, str, str]:
    document.write(tmp_path / "scores.json")
    return run("export", tmp_path / "scores.json", *more)


def test_export_writes_captions_from_the_document_or_from_a_file(tmp_path: Path) -> None:
    out = tmp_path / "cut.srt"
    document = make_document(num_frames=600, spans=[(1.0, 5.0)])
    code, _, stderr = exported(tmp_path, document, "-o", out)
    assert code == 2
    assert "error: there is no transcript of match.mp4 to make captions of" in stderr
    transcript = written(tmp_path, "said.srt", SRT)
    kept = tmp_path / "kept.json"
    code, _, stderr = exported(
        tmp_path, document, "-o", out, "-o", kept, "--transcript", transcript
    )
    assert code == 0, stderr
    assert out.read_text("utf-8").startswith("1\n00:00:00,000 --> 00:00:01,500\nWe measured")
    # The moments are the document's, and the document keeps the transcript.
    again = ScoresDocument.read(kept)
    assert again.moments == document.moments
    assert again.transcript == read_transcript(transcript)
    out.unlink()
    assert exported(tmp_path, again, "-o", out)[0] == 0
    assert out.is_file()


def test_a_transcript_is_never_overwritten(tmp_path: Path) -> None:
    transcript = written(tmp_path, "said.srt", SRT)
    document = make_document(num_frames=600, spans=[(1.0, 5.0)])
    code, _, stderr = exported(tmp_path, document, "-o", transcript, "--transcript", transcript)
    assert code == 2
    assert "writing there would destroy it" in stderr
    assert transcript.read_text("utf-8") == SRT


def test_the_transcript_of_another_film_is_left_out(tmp_path: Path) -> None:
    document = make_document(num_frames=300, spans=[(1.0, 5.0)])
    late = written(tmp_path, "late.srt", "00:00:20,000 --> 00:00:21,000\nLater.\n")
    kept = tmp_path / "kept.json"
    code, _, stderr = exported(tmp_path, document, "-o", kept, "--transcript", late)
    assert code == 0
    assert "late.srt goes on to 21.0 s, match.mp4 ends at 10.0 s: it is of another" in stderr
    assert ScoresDocument.read(kept).transcript is None
    quiet = dataclasses.replace(
        make_document(num_frames=1800, spans=[(1.0, 5.0)]), speech=((40.0, 50.0),)
    )
    other = written(tmp_path, "other.srt", "00:00:10,000 --> 00:00:30,000\nNot here.\n")
    code, _, stderr = exported(tmp_path, quiet, "-o", kept, "--transcript", other)
    assert code == 0
    assert "match.mp4 has speech in only 0 % of the time of" in stderr
    assert ScoresDocument.read(kept).transcript is None


def test_several_videos_take_transcripts_by_their_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_document(path=f"/footage/{name}.mp4", num_frames=600, spans=[(1.0, 5.0)]).write(
            tmp_path / f"{name}.json"
        )
    inputs = [tmp_path / "one.json", tmp_path / "two.json"]
    out, kept = tmp_path / "cut.srt", tmp_path / "kept.json"
    english = written(tmp_path, "two.en.srt", SRT)
    code, _, stderr = run("export", *inputs, "--transcript", english, "-o", out, "-o", kept)
    assert code == 0, stderr
    # After the four seconds of the other video.
    assert out.read_text("utf-8").startswith("1\n00:00:04,000 --> 00:00:05,500\n")
    other = written(tmp_path, "three.srt", SRT)
    code, _, stderr = run("export", *inputs, "--transcript", other, "-o", out)
    assert code == 2
    assert "three.srt: none of the 2 videos is called so" in stderr


def test_captions_without_a_transcript_are_refused_before_scoring(tmp_path: Path) -> None:
    code, _, stderr = run("score", tmp_path / "none.mp4", "-o", tmp_path / "cut.vtt")
    assert code == 2
    assert "cut.vtt has no transcript to be made of" in stderr
    bad = written(tmp_path, "bad.srt", "nothing")
    code, _, stderr = run("score", tmp_path / "none.mp4", "--transcript", bad)
    assert code == 3
    assert stderr.startswith(f"error: {bad} is no transcript: it has no line with times\nhint: ")
