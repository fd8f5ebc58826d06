"""--pin and --avoid: what a person names is kept, or left out, whatever the scores say."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from cli_runner import run
from document_factory import make_document
from hypothesis import given, settings
from hypothesis import strategies as st

from hlcli.document import ScoresDocument, find_moments
from hlcli.errors import UsageError
from hlcli.moments import Moment, Selection, Stretch, select_moments
from hlcli.parsing import parse_stretch
from hlcli.workflows.requests import selection_of


def stretches(*spans: tuple[float, float]) -> tuple[Stretch, ...]:
    return tuple(Stretch(start_seconds=start, end_seconds=end) for start, end in spans)


def ends(moments: list[Moment]) -> list[tuple[float, float]]:
    return sorted((m.start_seconds, m.end_seconds) for m in moments)


HILLS = [0.1] * 10 + [0.9] * 4 + [0.1] * 16 + [0.7] * 4 + [0.1] * 26


def choose(**selection) -> list[tuple[float, float]]:
    return ends(
        select_moments(
            HILLS, clip_seconds=1, duration_seconds=60.0, selection=Selection(**selection)
        )
    )


def test_a_pin_is_a_moment_as_it_is_and_counts() -> None:
    assert choose(top=1) == [(9.5, 14.5)]
    assert choose(top=2, pins=stretches((40.25, 41.0))) == [(9.5, 14.5), (40.25, 41.0)]
    assert choose(top=1, pins=stretches((40.25, 41.0))) == [(40.25, 41.0)]
    # Over a moment: as it is named.
    assert choose(top=1, pins=stretches((12.0, 20.0))) == [(12.0, 20.0)]
    # Pins that meet are one; behind the end of the video there is nothing.
    both = stretches((40, 42), (41, 44), (58, 80), (90, 95))
    assert choose(top=1, pins=both) == [(40.0, 44.0), (58.0, 60.0)]


def test_a_total_holds_the_pins() -> None:
    found = choose(target_duration_seconds=12, pins=stretches((40, 45)))
    assert (40.0, 45.0) in found
    assert sum(end - start for start, end in found) == pytest.approx(12)
    assert choose(target_duration_seconds=4, pins=stretches((40, 45))) == [(40.0, 45.0)]


def test_nothing_of_an_avoid_is_kept() -> None:
    assert choose(top=1, avoids=stretches((8, 16))) == [(29.5, 34.5)]
    [(start, end)] = choose(top=1, avoids=stretches((12, 16)))
    assert 9 <= start < end <= 12
    assert choose(top=3, avoids=stretches((0, 60))) == []


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=60),
    st.lists(st.tuples(st.floats(0, 50), st.floats(0.1, 15)), max_size=3),
    st.lists(st.tuples(st.floats(0, 50), st.floats(0.1, 15)), max_size=3),
    st.sampled_from([{}, {"top": 4}, {"threshold": 0.5}, {"target_duration_seconds": 20.0}]),
)
def test_moments_keep_apart_from_pins_and_avoids(scores, pins, avoids, rule) -> None:
    wanted = stretches(*((start, start + length) for start, length in pins))
    refused = stretches(*((start, start + length) for start, length in avoids))
    try:
        selection = Selection(pins=wanted, avoids=refused, **rule)
    except UsageError:
        return  # one of them names both
    moments = select_moments(
        scores, clip_seconds=1, duration_seconds=float(len(scores)), selection=selection
    )
    found = ends(moments)
    assert all(before[1] <= after[0] + 1e-9 for before, after in itertools.pairwise(found))
    for one in refused:
        for start, end in found:
            assert end <= one.start_seconds + 1e-9 or start >= one.end_seconds - 1e-9
    for one in wanted:
        if one.start_seconds < len(scores) - 1e-6:
            last = min(one.end_seconds, len(scores))
            assert any(
                start <= one.start_seconds + 1e-9 and last <= end + 1e-9 for start, end in found
            )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12:30-12:40", (None, 750.0, 760.0)),
        ("90s-1m40s", (None, 90.0, 100.0)),
        ("a.mp4:0:05-10", ("a.mp4", 5.0, 10.0)),
        ("day-1 12:30.mp4:1:00:00-1:00:05.5", ("day-1 12:30.mp4", 3600.0, 3605.5)),
    ],
)
def test_stretches_are_read(text: str, expected: tuple[str | None, float, float]) -> None:
    assert parse_stretch(text, option="--pin") == expected


@pytest.mark.parametrize("text", ["", "12:30", "12:30-", "-12:30", "a-b", "a.mp4:1:00"])
def test_what_is_no_stretch_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--avoid: .* is not a stretch of a video"):
        selection_of(avoid=[text])


def test_pins_and_avoids_must_agree_and_go_forward() -> None:
    with pytest.raises(UsageError, match="20 s to 10 s is no stretch"):
        selection_of(pin=["20-10"])
    with pytest.raises(UsageError, match="--pin and --avoid both name 12 s to 15 s"):
        selection_of(pin=["10-15"], avoid=["12-20"])


def test_export_takes_pins_and_avoids_by_the_name_of_the_video(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_document(path=f"/footage/{name}.mp4", num_frames=1800).write(tmp_path / f"{name}.json")
    inputs = [tmp_path / "one.json", tmp_path / "two.json"]
    out = tmp_path / "out.json"
    code, _, stderr = run("export", inputs[0], "-o", out, "--top", "2", "--pin", "0:50-0:51")
    assert code == 0, stderr
    assert (50.0, 51.0) in ends(list(ScoresDocument.read(out).moments))
    code, _, stderr = run("export", *inputs, "-o", out, "--pin", "0:50-0:51")
    assert code == 2
    assert "there are 2 videos: say in which one 50 s to 51 s is" in stderr
    code, _, stderr = run("export", *inputs, "-o", out, "--avoid", "three:0:50-0:51")
    assert code == 2
    assert "names three, which is none of the videos" in stderr
    csv = tmp_path / "out.csv"
    code, _, stderr = run("export", *inputs, "-o", csv, "--top", "1", "--pin", "two.mp4:50-51")
    assert code == 0, stderr
    rows = csv.read_text("utf-8").splitlines()[1:]
    assert sum("two.mp4,50.0" in row for row in rows) == 1
    assert sum("one.mp4,50.0" in row for row in rows) == 0
    code, _, stderr = run("export", inputs[0], "-o", csv, "--top", "1", "--pin", "70-71")
    assert code == 0
    assert "--pin: one.mp4 ends at 60.0 s, before 70 s" in stderr


def test_a_document_by_another_system_has_its_name_too() -> None:
    document = make_document(path="C:\\Clips\\b.mov", num_frames=1800)
    pin = Stretch(start_seconds=50, end_seconds=51, video="b")
    assert (50.0, 51.0) in ends(find_moments(document, Selection(pins=(pin,))))
