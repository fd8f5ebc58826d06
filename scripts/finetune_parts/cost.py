"""Time and memory of learning a taste, without the reading of the footage.

python -m finetune_parts.cost HOURS     # one size, in a process of its own; JSON on stdout
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time

import numpy as np

SPANS_AN_HOUR, SPAN_SECONDS = 20, 15


def main(hours: float) -> dict[str, float]:
    from hlcli.features.types import VideoFeatures
    from hlcli.model.checkpoint import Checkpoint
    from hlcli.model.load import load_scorer
    from hlcli.training.corpus import Corpus
    from hlcli.training.dataset import SequenceSampler
    from hlcli.training.recipe import DataConfig
    from hlcli.tuning.fit_taste import MarkedVideo
    from hlcli.tuning.run import tune
    from hlcli.zoo.manifest import find_model
    from hlcli.zoo.weights import weights_path

    weights = weights_path(find_model("rasl"))
    spec = Checkpoint.read(weights).feature_spec
    scorer = load_scorer(weights)
    random = np.random.default_rng(0)
    videos: list[MarkedVideo] = []
    while sum(video.features.num_clips for video in videos) < hours * 3600:
        num_clips = round(min(3600, hours * 3600))
        # Features are of size 1 and not below 0, as the encoders give them.
        features = VideoFeatures(
            spec_digest=spec.digest(),
            duration_seconds=float(num_clips),
            visual_TV=random.random((num_clips, spec.visual_size), np.float32).astype(np.float16),
            audio_TA=random.random((num_clips, spec.audio_size), np.float32).astype(np.float16),
            events_TC=None,
            motion_T=random.random(num_clips, np.float32),
            loudness_T=-30 * random.random(num_clips, np.float32),
            shot_boundaries_seconds=np.zeros(0),
        )
        marks = np.zeros(num_clips, np.int8)
        for start in np.linspace(0, num_clips - SPAN_SECONDS, max(2, round(
            SPANS_AN_HOUR * num_clips / 3600))):  # fmt: skip
            marks[int(start) : int(start) + SPAN_SECONDS] = 1
        videos.append(MarkedVideo(name=str(len(videos)), features=features, marks_T=marks))
    before, started = time.process_time(), time.perf_counter()
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    corpus = Corpus(
        spec=spec,
        names=tuple(video.name for video in videos),
        videos=tuple(video.features for video in videos),
    )
    sequences = SequenceSampler(corpus, DataConfig(), seed=0).calibration()
    tune(scorer, scorer, videos, sequences, is_marked=True)
    return {
        "hours": hours,
        "files": len(videos),
        "cpu_s": time.process_time() - before,
        "wall_s": time.perf_counter() - started,
        "features_mib": peak_kib / 1024,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    print(json.dumps(main(float(sys.argv[1]))))
