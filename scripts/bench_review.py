"""How long the review page is busy while the curve of a long video is panned and zoomed.

Usage: .venv/bin/python scripts/bench_review.py [--hours 10]; needs node and Chromium.

The video is two seconds long, its scores document says otherwise: the curve costs the same. Prints
the browser's own trace as JSON: seconds it took, number of tasks of the page's main thread, the
longest in milliseconds, how many took over 50.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))


def main() -> None:
    """Measure once and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--shots", help="folder for a picture")
    arguments = parser.parse_args()
    from browser_pages import free_port, run_script

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = prepare(folder, round(arguments.hours * 3600))
        settings = {
            "python": sys.executable,
            "port": free_port(),
            "videos": [str(video)],
            "shots": arguments.shots,
        }
        cache = {"HL_CACHE_DIR": str(folder / "cache"), "HL_OFFLINE": "1"}
        print(json.dumps(run_script("long.js", settings, cache)))


def prepare(folder: Path, num_clips: int) -> Path:
    """Make a video whose stored scores are of a long one; returns its path."""
    from document_factory import make_document
    from media_factory import make_video

    from hlcli import scores_cache
    from hlcli.document import ScoresDocument
    from hlcli.media.identity import content_identity

    random = np.random.default_rng(0)
    video = make_video(folder, name="long.mp4")
    hills = 0.3 + 0.3 * np.sin(np.arange(num_clips) / 40) + 0.3 * random.random(num_clips)
    cuts = np.unique(np.round(random.random(num_clips // 6) * num_clips, 3))
    identity = content_identity(video)
    document = make_document(
        path=str(video),
        num_frames=30 * num_clips,
        scores=[round(float(one), 6) for one in np.clip(hills, 0, 1)],
        identity=identity,
        spans=[],
    )
    value = document.to_json()
    value["shot_boundaries_seconds"] = [float(cut) for cut in cuts if 0 < cut < num_clips]
    value["loudness"] = [round(float(one), 3) for one in -60 * random.random(num_clips)]
    value["motion"] = [round(float(one), 6) for one in random.random(num_clips)]
    os.environ["HL_CACHE_DIR"] = str(folder / "cache")
    scores_cache.put(ScoresDocument.from_json(value))
    return video


if __name__ == "__main__":
    main()
