"""The rarity detector on videos it was not fitted on: each category is left out in turn.

No labels are used, but a background fitted on the measured videos has seen them; these rows say
what it is worth on footage it has not.

Axes: T one-second clips.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from hlcli.evaluation.benchmarks.benchmark import Float64
from hlcli.features.types import VideoFeatures
from hlcli.model.config import RarityConfig
from hlcli.model.rarity import Background, RarityScorer

HELD_OUT_NOTE = "fitted without labels on the videos of all other categories (or other videos)"
"""What the names of the rows do not say."""
_RARITY = "rarity, held out"
_BACKGROUND = "background alone, held out"


def held_out_scores(
    features_of: Mapping[str, VideoFeatures],
    stratum_of: Mapping[str, str],
    *,
    config: RarityConfig | None = None,
) -> dict[str, dict[str, Float64]]:
    """Score each video, by picture, with a detector fitted on all other strata.

    Where there is one stratum only, the video itself is left out.

    Args:
        features_of: Features by video, all of one specification.
        stratum_of: Category of each video.
        config: Settings of the detector; the usual ones where None.

    Returns:
        Scores, shape `(T,)`, by row of the table and by video; empty when nothing is left to fit
        on.
    """
    is_single = len({stratum_of[name] for name in features_of}) < 2
    group_of = {name: name if is_single else stratum_of[name] for name in features_of}
    found: dict[str, dict[str, Float64]] = {}
    for group in sorted(set(group_of.values())):
        others = [features_of[name] for name in features_of if group_of[name] != group]
        if not others:
            return {}
        rarity = _fitted_on(others, config or RarityConfig())
        background = rarity.with_fusion(
            dataclasses.replace(rarity.fusion, weights_v={"picture_background": 1.0})
        )
        for name in (name for name in features_of if group_of[name] == group):
            features = features_of[name].in_float32()
            for row, scorer in ((_RARITY, rarity), (_BACKGROUND, background)):
                raw_T = scorer.raw_scores(features, ("v",))["v"]
                found.setdefault(row, {})[name] = raw_T.astype(np.float64)
    return found


def _fitted_on(videos: Sequence[VideoFeatures], config: RarityConfig) -> RarityScorer:
    scorer = RarityScorer(
        dataclasses.replace(config, visual_size=videos[0].visual_TV.shape[1]),
        Background.fit(lambda: [video.visual_TV for video in videos]),
        spec_digest=videos[0].spec_digest,
    )
    scorer.calibrate([video.in_float32().without_audio() for video in videos])
    return scorer
