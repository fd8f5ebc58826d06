"""Moments: exact outcomes on small curves, and what must hold on any curve."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlcli.errors import UsageError
from hlcli.moments import Moment, Selection, select_moments
from hlcli.moments.budget import STANDS_OUT
from hlcli.moments.curve import Curve


def choose(
    scores, duration=None, shots=(), picture=None, sound=None, raw=None, **selection
) -> list[Moment]:
    return select_moments(
        scores,
        clip_seconds=1.0,
        duration_seconds=float(duration or len(scores)),
        selection=Selection(**selection),
        shot_boundaries_seconds=shots,
        picture_T=picture,
        sound_T=sound,
        raw_T=raw,
    )


def spans(moments: list[Moment]) -> list[tuple[float, float]]:
    return [(round(m.start_seconds, 6), round(m.end_seconds, 6)) for m in moments]


def total(moments: list[Moment]) -> float:
    return sum(moment.duration_seconds for moment in moments)


def hills(num_hills: int, spacing: int = 20, width: int = 4) -> np.ndarray:
    """Return a curve with equal hills of `width` clips, slightly lower each time."""
    scores = np.full(num_hills * spacing, 0.1)
    for hill in range(num_hills):
        start = hill * spacing + spacing // 2
        scores[start : start + width] = 0.9 - 0.001 * hill
    return scores


# Exact outcomes ------------------------------------------------------------------------------


def test_peak_grows_to_half_height_with_handles() -> None:
    scores = [0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1]
    [moment] = choose(scores, top=1)
    assert spans([moment]) == [(2.5, 6.5)]
    assert moment.score == pytest.approx((3 * 0.9 + 2 * 0.5 * 0.1) / 4)
    assert moment.peak_seconds == 3.5


def test_ends_are_interpolated_between_clips() -> None:
    # Level is 0.5 over the floor 0: between 0.75 (centre 3.5) and 0.25 (centre 2.5) at 3.0, and
    # between 0.6 (centre 6.5) and 0.1 (centre 7.5) at 6.7.
    scores = [0, 0, 0.25, 0.75, 1.0, 0.9, 0.6, 0.1, 0, 0]
    assert spans(choose(scores, top=1, handles_seconds=0)) == [(3.0, 6.7)]


def test_the_floor_is_the_score_below_which_a_fifth_of_the_video_lies() -> None:
    # Of ten clips, two at 0 and seven at 0.4: the fifth ends between them, at 0.32, and half the
    # way from there to the peak is 0.66. A moment ends where the curve falls below that.
    scores = [0.0, 0.0, 0.4, 0.4, 0.4, 1.0, 0.4, 0.4, 0.4, 0.4]
    [moment] = choose(scores, top=1, handles_seconds=0, min_duration_seconds=0.5)
    share = (1.0 - 0.66) / (1.0 - 0.4)
    assert spans([moment]) == [(round(5.5 - share, 6), round(5.5 + share, 6))]


def test_a_peak_below_the_floor_keeps_room_of_its_own() -> None:
    # Three dull clips before nine good ones: of three moments, one is the best of the dull.
    scores = [0.08, 0.1, 0.09, *[0.9] * 9]
    moments = choose(scores, top=3, handles_seconds=0, min_duration_seconds=0.25)
    assert (1.375, 1.625) in spans(moments)
    [dull] = [one for one in moments if one.end_seconds < 2]
    assert (dull.peak_seconds, dull.score) == (1.5, pytest.approx(0.1))


def test_a_valley_ends_a_moment() -> None:
    scores = [0, 0, 1.0, 1.0, 0.6, 0.9, 0.9, 0, 0, 0]
    found = choose(scores, top=2, handles_seconds=0, shots=[5.0])
    assert spans(found) == [(5.0, 7.0), (2.0, 5.0)]  # means 0.9 and 0.87


def test_a_valley_inside_one_shot_does_not() -> None:
    # Two moments back to back in an unbroken shot would be a cut that shows nothing.
    scores = [0, 0, 1.0, 1.0, 0.6, 0.9, 0.9, 0, 0, 0]
    assert spans(choose(scores, top=1, handles_seconds=0)) == [(2.0, round(6.5 + 4 / 9, 6))]


def test_a_shallow_dip_does_not() -> None:
    scores = [0, 0, 1.0, 1.0, 0.8, 1.0, 1.0, 0, 0, 0]
    assert spans(choose(scores, top=1, handles_seconds=0)) == [(2.0, 7.0)]


def test_short_peak_is_widened_to_the_minimum() -> None:
    scores = [0.0] * 10
    scores[5] = 1.0
    assert spans(choose(scores, top=1, min_duration_seconds=3, handles_seconds=0)) == [(4.0, 7.0)]
    scores = [1.0] + [0.0] * 9
    assert spans(choose(scores, top=1, min_duration_seconds=3, handles_seconds=0)) == [(0.0, 3.0)]


def test_long_stretch_is_cut_to_its_best_part() -> None:
    scores = [0.0] * 10 + [0.8] * 10 + [0.9] * 5 + [0.8] * 5 + [0.0] * 10
    [best] = choose(scores, top=1, max_duration_seconds=5, handles_seconds=0)
    assert spans([best]) == [(20.0, 25.0)]


def test_touching_moments_share_the_space_for_handles() -> None:
    # The stretches end at 4 and start at 5: 1 s for two handles of 0.8 s. Together they are
    # longer than the longest moment, so they stay two.
    scores = [0, 0, 1, 1, 0.1, 0.8, 0.8, 0, 0, 0]
    found = choose(scores, threshold=0.7, handles_seconds=0.8, max_duration_seconds=2.5)
    first, second = sorted(spans(found))
    assert (first[0], second[1]) == (1.2, 7.8)
    assert 4.0 < first[1] == second[0] < 5.0
    # Where the longest moment has room for both, they are one.
    assert spans(choose(scores, threshold=0.7, handles_seconds=0.8)) == [(1.2, 7.8)]
    # A cut between them: two again, each in its own shot.
    found = choose(scores, threshold=0.7, handles_seconds=0.8, shots=[4.6])
    assert sorted(spans(found)) == [(1.2, 4.6), (4.6, 7.8)]


def test_near_peaks_of_one_shot_are_one_moment() -> None:
    scores = [0, 0, 1, 1, 0.1, 0.8, 0.8, 0, 0, 0, 0, 0, 0, 0]
    [moment] = choose(scores, top=1)
    assert spans([moment]) == [(round(2 - 0.5, 6), round(7.0 + 0.5, 6))]
    # A lower shoulder is no part of it, and no moment right beside it.
    scores = [0, 0, 1, 1, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0, 0, 0, 0]
    first, second = choose(scores, top=2, handles_seconds=0)
    assert second.start_seconds >= first.end_seconds + 2


def test_handles_stop_at_the_ends_of_the_video() -> None:
    assert spans(choose([1, 1, 0, 0, 0, 0, 0], top=1, handles_seconds=1)) == [(0.0, 3.0)]


def test_ends_snap_to_a_near_shot_boundary_and_handles_do_not_cross_it() -> None:
    scores = [0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1]
    assert spans(choose(scores, top=1, shots=[3.05, 6.2])) == [(3.05, 6.2)]


def test_a_far_shot_boundary_is_left_alone() -> None:
    scores = [0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1]
    assert spans(choose(scores, top=1, shots=[1.7, 7.3])) == [(2.5, 6.5)]


def test_a_moment_inside_one_shot_is_widened_to_the_shots_near_ends() -> None:
    scores = [0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1]  # 2.5 to 6.5
    # Each end is measured to the cut outside it, by itself: up to 0.75 s.
    assert spans(choose(scores, top=1, shots=[1.8, 7.2])) == [(1.8, 7.2)]
    assert spans(choose(scores, top=1, shots=[1.8, 7.3])) == [(1.8, 6.5)]
    assert spans(choose(scores, top=1, shots=[1.7, 7.2])) == [(2.5, 7.2)]
    # The ends of the video are no cuts: nothing is seen of what is left out before them.
    scores = [0.1, 0.9, 0.9, 0.9, 0.1]
    assert spans(choose(scores, top=1, handles_seconds=0.3)) == [(0.7, 4.3)]


def test_snapping_never_breaks_the_minimum() -> None:
    scores = [0.0] * 10
    scores[5] = 1.0
    # The shot of 1 s is whole; 2 s of the one before it are no flash, and make up the minimum.
    found = choose(scores, top=1, shots=[5.1, 6.1], handles_seconds=0)
    assert spans(found) == [(3.1, 6.1)]
    # With no room for that, the lengths are kept and a piece is left.
    found = choose(scores, top=1, shots=[5.1, 6.1], handles_seconds=0, max_duration_seconds=2)
    assert found[0].duration_seconds == pytest.approx(2)
    found = choose(scores, top=1, shots=[4.4], handles_seconds=0)
    assert spans(found) == [(4.4, 6.5)]


def test_threshold_keeps_exactly_the_counting_clips() -> None:
    scores = [0.1, 0.7, 0.7, 0.7, 0.1, 0.1, 0.1, 0.6, 0.6, 0.2, 0.5]
    found = choose(scores, threshold=0.6, handles_seconds=0)
    assert all(m.end_seconds - m.start_seconds <= 4 for m in found)
    for clip, score in enumerate(scores):
        inside = any(m.start_seconds <= clip and clip + 1 <= m.end_seconds for m in found)
        assert inside == (score >= 0.6)


def test_a_moment_over_a_threshold_never_scores_less() -> None:
    # Widened to 2 s, and with handles: what is around the one clip that counts is not its score.
    scores = [0.1, 0.1, 0.1, 0.35, 0.1, 0.1, 0.1, 0.1, 0.8, 0.6, 0.1, 0.1]
    found = choose(scores, threshold=0.3)
    assert [moment.score for moment in found] == [pytest.approx(0.7), pytest.approx(0.35)]
    assert [moment.peak_seconds for moment in found] == [8.5, 3.5]
    # Asked for by other rules, the score is that of the whole moment.
    assert choose(scores, top=2)[1].score < 0.3
    # A whole video that is shorter than the shortest moment: the second that counts.
    [short] = choose([0.2, 0.9], threshold=0.5)
    assert short.score == pytest.approx(0.9)


def test_threshold_above_every_score_finds_nothing() -> None:
    assert choose([0.1, 0.5, 0.2, 0.3], threshold=0.51) == []
    assert choose([0.4], threshold=0.5) == []
    assert spans(choose([0.5], threshold=0.5)) == [(0.0, 1.0)]


def test_target_takes_the_best_and_cuts_the_last() -> None:
    scores = hills(6)
    # Each hill is 4 s and two handles of 0.5 s.
    assert total(choose(scores, target_duration_seconds=10)) == pytest.approx(10)
    assert len(choose(scores, target_duration_seconds=10)) == 2
    found = choose(scores, target_duration_seconds=13)
    assert [round(m.duration_seconds, 6) for m in found].count(5.0) == 2
    assert total(found) == pytest.approx(13)
    # One second is too short for another moment: the two chosen ones take it.
    found = choose(scores, target_duration_seconds=11)
    assert len(found) == 2
    assert total(found) == pytest.approx(11)


def test_what_gives_way_to_one_more_stays_as_long_as_the_shortest() -> None:
    scores = np.full(50, 0.1)
    scores[10:14], scores[25:27], scores[40:44] = 0.9, 0.8, 0.7
    # 5 s, as long as may be with handles; 2.3 s between stretches left out; half a second remains.
    moments = select_moments(
        scores,
        clip_seconds=1.0,
        duration_seconds=50.0,
        selection=Selection(target_duration_seconds=7.8, max_duration_seconds=4),
        unusable=[(20.0, 24.7), (27.0, 32.0)],
    )
    lengths = [moment.duration_seconds for moment in sorted(moments, key=lambda m: m.peak_seconds)]
    assert lengths == pytest.approx([3.8, 2.0, 2.0])


def test_target_below_the_minimum_gives_one_moment_of_the_minimum() -> None:
    [moment] = choose(hills(3), target_duration_seconds=0.5)
    assert moment.duration_seconds == pytest.approx(2)


def test_target_beyond_the_video_gives_the_whole_video() -> None:
    found = choose(hills(2), target_duration_seconds=900)
    assert total(found) == pytest.approx(40)


def test_default_keeps_the_prominent_peaks_within_its_share() -> None:
    scores = np.full(200, 0.1)
    scores[20:24] = 0.9
    scores[100:104] = 0.8
    scores[150:154] = 0.3  # less than half as high over the floor
    assert spans(choose(scores)) == [(19.5, 24.5), (99.5, 104.5)]


def test_default_is_limited_to_three_minutes() -> None:
    found = choose(hills(200))
    assert total(found) == pytest.approx(180, abs=2.5)
    assert total(found) <= 180 + 1e-6


def test_default_gives_a_short_video_one_moment_with_both_handles() -> None:
    # The share of 10 s would be 1.5 s: the shortest moment and its handles come first.
    assert spans(choose([0.1] * 4 + [0.9] + [0.1] * 5)) == [(3.0, 6.0)]


def test_default_gives_at_least_one_moment() -> None:
    [moment] = choose([0.2, 0.9, 0.2, 0.2])
    assert moment.start_seconds < 1.5 < moment.end_seconds


def test_flat_curve_starts_at_the_start() -> None:
    # The second keeps apart from the first, of which it would only be the continuation.
    assert spans(choose([0.5] * 100, top=2, handles_seconds=0)) == [(0.0, 20.0), (22.0, 42.0)]
    assert spans(choose([0.5] * 100)) == [(0.0, 15.0)]
    assert spans(choose([0.0] * 100, target_duration_seconds=30, handles_seconds=0)) == [
        (0.0, 20.0),
        (22.0, 32.0),
    ]


def test_a_plateau_ends_where_a_score_lies_below_it() -> None:
    curve = Curve([0.9, 0.2, 0.8, 0.79, 0.8, 0.1, 0.8], 2.0, 14.0)
    assert curve.plateau(3) == (4.0, 10.0)
    assert curve.plateau(0) == (0.0, 2.0)
    assert curve.plateau(6) == (12.0, 14.0)


def test_a_block_without_structure_is_judged_by_a_second_criterion() -> None:
    # 45 s at the top, longer than a moment may be: raw scores, else picture and sound, choose.
    scores = [0.1] * 20 + [1.0] * 45 + [0.1] * 35
    better = np.where((np.arange(100) >= 40) & (np.arange(100) < 60), 3.0, 2.0)
    [moment] = choose(scores, top=1, raw=better, handles_seconds=0)
    assert spans([moment]) == [(40.0, 60.0)]
    [moment] = choose(scores, top=1, picture=better / 3, sound=[0.5] * 100, handles_seconds=0)
    assert spans([moment]) == [(40.0, 60.0)]
    # The default rule takes 15 s of it, and nothing from outside the block.
    [moment] = choose(scores, raw=[9.0] * 20 + better.tolist()[20:], handles_seconds=0)
    assert spans([moment]) == [(40.0, 55.0)]
    # The scores themselves decide where they can.
    slope = [0.1] * 20 + [1.0] * 20 + [0.9] * 25 + [0.1] * 35
    assert spans(choose(slope, top=1, raw=better, handles_seconds=0)) == [(20.0, 40.0)]


def test_ends_go_to_the_cut_inwards_or_outwards() -> None:
    scores = [0.1] * 10 + [0.9] * 6 + [0.1] * 14  # 10 to 16
    scores[13] = 0.95
    # 1.2 s of another shot: left out. It is inside the moment's own stretch, not in the handle.
    assert spans(choose(scores, top=1, shots=[11.2])) == [(11.2, 16.46875)]
    # 1.7 s of another shot, and only 0.5 s to its start: two whole shots.
    assert spans(choose(scores, top=1, shots=[9.0, 11.2, 17.0])) == [(9.0, 17.0)]
    # The second shot would not be whole: one shot alone.
    assert spans(choose(scores, top=1, shots=[9.0, 11.2])) == [(11.2, 16.46875)]
    # A handle ends at a cut, however long it is.
    assert spans(choose(scores, top=1, shots=[7.0, 19.0], handles_seconds=5)) == [(7.0, 19.0)]
    # Long parts of two shots are no flash; both ends stay where they are.
    scores = [0.1] * 10 + [0.9] * 10 + [0.1] * 20
    assert spans(choose(scores, top=1, shots=[15.0], handles_seconds=0)) == [(10.0, 20.0)]


@pytest.mark.parametrize("duration", [0.04, 0.5, 1.5, 2.0])
def test_video_shorter_than_the_minimum_is_one_moment(duration: float) -> None:
    scores = [0.3] * math.ceil(duration)
    for selection in ({}, {"top": 3}, {"target_duration_seconds": 60}):
        [moment] = choose(scores, duration, **selection)
        assert (moment.start_seconds, moment.end_seconds) == (0.0, duration)
        assert 0 <= moment.peak_seconds < duration
        assert moment.score == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("picture_inside", "sound_inside", "why"),
    [(0.9, 0.2, "picture"), (0.2, 0.9, "sound"), (0.9, 0.9, "both"), (0.2, 0.2, "both")],
)
def test_why_names_the_side_that_rises(
    picture_inside: float, sound_inside: float, why: str
) -> None:
    scores = hills(1)
    rest = np.tile([0.2, 0.25, 0.3, 0.15], 5)
    picture, sound = rest.copy(), rest.copy()
    picture[10:14] = picture_inside
    sound[10:14] = sound_inside
    if why == "both" and picture_inside < 0.5:
        picture[10:14] = sound[10:14] = rest[10:14]
    [moment] = choose(scores, top=1, picture=picture, sound=sound, handles_seconds=0)
    assert moment.why == why
    assert moment.picture == pytest.approx(picture[10:14].mean())
    assert moment.sound == pytest.approx(sound[10:14].mean())


@pytest.mark.parametrize(("sound_inside", "why"), [(0.30, "picture"), (0.34, "both")])
def test_both_stand_out_where_the_lesser_rises_by_half_of_the_greater(
    sound_inside: float, why: str
) -> None:
    rest = np.tile([0.2, 0.25, 0.3, 0.15], 5)
    picture, sound = rest.copy(), rest.copy()
    picture[10:14], sound[10:14] = 0.9, sound_inside
    rises = [
        (side[10:14].mean() - np.median(side)) / side.std() for side in (np.array(sound), picture)
    ]
    share = rises[0] / rises[1]
    assert 1 / 3 < share < 1 / 2 if why == "picture" else 1 / 2 < share < 2 / 3
    for first, second, expected in (
        (picture, sound, why),
        (sound, picture, "sound" if why == "picture" else why),
    ):
        [moment] = choose(hills(1), top=1, picture=first, sound=second, handles_seconds=0)
        assert moment.why == expected


def test_why_without_one_side() -> None:
    [moment] = choose(hills(1), top=1, picture=hills(1))
    assert (moment.why, moment.sound) == ("picture", None)
    [moment] = choose(hills(1), top=1, sound=hills(1))
    assert (moment.why, moment.picture) == ("sound", None)


def test_bad_scores_are_refused() -> None:
    for scores in ([float("nan")], [], [[0.1]]):
        with pytest.raises(ValueError, match="finite"):
            choose(scores, 1)
    with pytest.raises(ValueError, match=r"3 clips of 1\.0 s do not make 9\.0 s"):
        choose([0.1] * 3, 9)


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        ({"top": 1, "threshold": 0.5}, "--top and --threshold exclude each other"),
        ({"top": 1, "target_duration_seconds": 5}, "--target-duration and --top exclude"),
        ({"top": 0}, "--top must be at least 1, got 0"),
        ({"threshold": 1.5}, "--threshold must be between 0 and 1, got 1.5"),
        ({"threshold": math.nan}, "--threshold must be between 0 and 1, got nan"),
        ({"target_duration_seconds": 0.0}, "--target-duration must be more than 0 s"),
        ({"min_duration_seconds": 0.0}, "--min-duration must be at least 1 ms"),
        ({"handles_seconds": -1.0}, "--handles must be 0 s or more, got -1"),
        ({"min_duration_seconds": 9, "max_duration_seconds": 5}, "9 s is longer than"),
    ],
)
def test_selection_refuses(selection: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError) as error:
        Selection(**selection)  # type: ignore[arg-type]
    assert words in error.value.message
    assert error.value.hint


# What must hold on any curve -----------------------------------------------------------------

curves = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=90) | st.lists(
    st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), min_size=1, max_size=90
)
shapes = st.builds(
    dict,
    min_duration_seconds=st.sampled_from([0.4, 1.0, 2.0, 3.5]),
    max_duration_seconds=st.sampled_from([3.5, 6.0, 20.0]),
    handles_seconds=st.sampled_from([0.0, 0.5, 2.0]),
)
rules = st.one_of(
    st.just({}),
    st.builds(lambda x: {"target_duration_seconds": x}, st.floats(0.1, 120)),
    st.builds(lambda n: {"top": n}, st.integers(1, 12)),
    st.builds(lambda x: {"threshold": x}, st.floats(0, 1)),
)
shots = st.lists(st.floats(0, 90), max_size=12)


@settings(max_examples=400, deadline=None)
@given(curves, st.floats(0, 0.99), shapes, rules, shots)
def test_moments_are_disjoint_inside_ranked_and_of_allowed_length(
    scores, missing, shape, rule, cuts
) -> None:
    duration = len(scores) - missing
    found = choose(scores, duration, shots=cuts, picture=scores, **shape, **rule)
    assert found == choose(scores, duration, shots=cuts, picture=scores, **shape, **rule)
    assert found or "threshold" in rule or (not rule and max(scores) < STANDS_OUT)
    assert [m.score for m in found] == sorted((m.score for m in found), reverse=True)
    in_time = sorted(found, key=lambda m: m.start_seconds)
    for before, after in itertools.pairwise(in_time):
        assert before.end_seconds <= after.start_seconds + 1e-9
    shortest = min(shape["min_duration_seconds"], duration)
    longest = shape["max_duration_seconds"] + 2 * shape["handles_seconds"]
    for m in found:
        assert 0 <= m.start_seconds < m.end_seconds <= duration
        assert shortest - 1e-6 <= m.duration_seconds <= max(longest, shortest) + 1e-6
        assert m.start_seconds <= m.peak_seconds <= m.end_seconds
        assert min(scores) <= m.score <= max(scores)
        assert all(map(math.isfinite, (m.score, m.picture, m.peak_seconds)))
    if "top" in rule:
        assert len(found) <= rule["top"]
    if "threshold" in rule:
        assert all(m.score >= rule["threshold"] for m in found)


@settings(max_examples=300, deadline=None)
@given(
    curves,
    st.sampled_from([0.4, 1.0, 2.0, 3.5]),
    st.sampled_from([8.0, 20.0]),
    st.sampled_from([0.0, 0.5, 2.0]),
    st.one_of(st.just({}), st.builds(lambda n: {"top": n}, st.integers(1, 12))),
    st.lists(st.floats(0, 90), max_size=30),
)
def test_ends_hold_no_piece_of_another_shot_and_moments_of_one_shot_never_touch(
    scores, shortest, longest, handles, rule, cuts
) -> None:
    shape = {
        "min_duration_seconds": shortest,
        "max_duration_seconds": longest,
        "handles_seconds": handles,
    }
    found = choose(scores, shots=cuts, raw=scores[::-1], **shape, **rule)
    assert found == choose(scores, shots=cuts, raw=scores[::-1], **shape, **rule)
    edges = np.unique([0.0, *(cut for cut in cuts if cut < len(scores)), float(len(scores))])
    for moment in found:
        start, end = moment.start_seconds, moment.end_seconds
        assert moment.duration_seconds <= longest + 2 * handles + 1e-6
        inside = edges[(edges > start + 1e-6) & (edges < end - 1e-6)]
        if len(inside):
            for instant, piece in ((start, inside[0] - start), (end, end - inside[-1])):
                assert piece >= shortest - 1e-6 or min(abs(edges - instant)) < 1e-6
    in_time = sorted(found, key=lambda moment: moment.start_seconds)
    for before, after in itertools.pairwise(in_time):
        between = (before.end_seconds - 1e-6 <= edges) & (edges <= after.start_seconds + 1e-6)
        apart = after.start_seconds - before.end_seconds
        assert between.any() or apart >= shortest - 1e-6


def test_a_video_in_which_nothing_stands_out_has_no_moment_unless_asked() -> None:
    # The documented number: scores mean the same in every video, so that it may not wander.
    assert STANDS_OUT == 0.2
    calm = [0.1, 0.1, 0.15, STANDS_OUT - 0.01, 0.1, 0.1, 0.1, 0.1]
    assert choose(calm) == []
    assert len(choose(calm, top=1)) == 1
    assert len(choose(calm, threshold=0.18)) == 1
    assert total(choose(calm, target_duration_seconds=4.0)) == pytest.approx(4.0)
    eventful = [*calm[:3], STANDS_OUT, *calm[4:]]
    assert len(choose(eventful)) == 1


@settings(max_examples=300, deadline=None)
@given(curves, shapes, shots, st.lists(st.floats(0.1, 100), min_size=2, max_size=2))
def test_a_bigger_target_never_gives_less(scores, shape, cuts, targets) -> None:
    smaller, bigger = sorted(targets)
    less = total(choose(scores, shots=cuts, target_duration_seconds=smaller, **shape))
    more = total(choose(scores, shots=cuts, target_duration_seconds=bigger, **shape))
    assert less <= more + 1e-6
    assert more <= max(bigger, shape["min_duration_seconds"]) + 1e-6


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(4, 240), shots)
def test_target_is_met_on_long_videos(seed: int, target: float, cuts) -> None:
    noise = np.random.default_rng(seed).random(600)
    smooth = np.convolve(noise, np.ones(5) / 5, "same")
    found = choose(smooth, target_duration_seconds=target, shots=cuts)
    assert total(found) == pytest.approx(target, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(curves, st.integers(1, 8))
def test_top_is_a_prefix(scores, number: int) -> None:
    fewer = choose(scores, top=number, handles_seconds=0)
    more = choose(scores, top=number + 1, handles_seconds=0)
    assert spans(more)[: len(fewer)] == spans(fewer)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(12, 48))
def test_every_counting_clip_is_kept_when_moments_may_be_long(seed: int, length: int) -> None:
    scores = np.random.default_rng(seed).random(length)
    found = choose(scores, threshold=0.7, max_duration_seconds=100)
    for clip in np.flatnonzero(scores >= 0.7):
        assert any(m.start_seconds <= clip + 0.5 < m.end_seconds for m in found), clip
