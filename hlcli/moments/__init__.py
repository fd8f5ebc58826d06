"""Turns one score per clip into the moments worth keeping.

1. **Candidates.** From the highest clip down, each clip outside the candidates so far is a peak. It
   grows to both sides while the score stays above halfway between the video's floor (its 20th
   percentile) and the peak, and ends at a valley with a cut in it when the score climbs again by a
   quarter of the peak's height. Ends between two clips are interpolated. Longer than the maximum:
   the best window around the peak, or by the second criterion (raw scores, else the mean of
   picture and sound) where the scores are flat for longer; shorter than the minimum: widened
   evenly. Then handles are added, up to a cut, and the ends go to cuts, inwards or outwards, so
   that no piece of another shot shorter than the minimum stays in. Candidates of one shot are at
   least the minimum apart; nearer peaks of like height are one candidate.
   The candidates are ranked by mean score.
   Nothing is chosen in stretches that nobody can use (black, credits: `hlcli.media.unusable`):
   their ends count as cuts, their clips for nothing, unless all is to be kept.
2. **Choice**, by at most one rule:
   a *target duration* takes candidates best first, handles included, cuts the last one to
   its best part to meet the target exactly, and widens the chosen ones where no further one fits;
   *top* takes the N best; a *threshold* keeps every stretch whose clips score at least X (peaks
   and ends are then judged against X, and a moment scores the mean of the clips that reach it, so
   that none has less than X). By default: the best candidates that fill 15 % of the
   video, at most 180 s, at least one, and only peaks that stand at least half as high over the
   floor as the video's highest.
   Moments of one shot that a target or a threshold makes touch become one, unless together they
   are longer than the maximum. An exact target comes before clean ends.
3. **Speech.** Ends inside speech go into a pause within half a second, inwards or outwards, never
   over a cut; `hlcli.moments.speech` has the rule.

4. **Takes.** No two moments are takes of one another (`hlcli.moments.takes`); without the others
   it is chosen again.

Where all criteria tie, the earlier one wins. A video no longer than the minimum is one moment.
Same input, same moments.

Axes: T clips, E = T + 1 clip edges, S shot boundaries.
"""

from __future__ import annotations

from hlcli.moments.marks import LIKENESS_WEIGHT, MarksVote, with_votes
from hlcli.moments.reasons import Evidence, Observation, in_words, reasons_of, what_happens
from hlcli.moments.select import measure_span, select_moments
from hlcli.moments.speech import Pauses
from hlcli.moments.types import Moment, Selection, Stretch, Take, Why

__all__ = [
    "LIKENESS_WEIGHT",
    "Evidence",
    "MarksVote",
    "Moment",
    "Observation",
    "Pauses",
    "Selection",
    "Stretch",
    "Take",
    "Why",
    "in_words",
    "measure_span",
    "reasons_of",
    "select_moments",
    "what_happens",
    "with_votes",
]
