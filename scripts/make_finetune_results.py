"""Measure what docs/benchmarks/finetune.md shows, and write its tables between their markers.

    scripts/finetune_results --data clips/ --summe data/ [--seeds 5]

The first folder holds labelled clips with a manifest.json, as for `hl eval composite`; the second
one `summe/NAME.npz`. What was measured is kept in runs/finetune as JSON and not measured again.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finetune_parts.taste import Measured
    from finetune_parts.unlabelled import Adapted

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/benchmarks/finetune.md"
WORK = ROOT / "runs/finetune"
GENERAL_PER_KIND = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled clips")
    parser.add_argument("--summe", type=Path, help="folder with summe/*.npz")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    WORK.mkdir(parents=True, exist_ok=True)
    sections = {
        "taste": taste_table(options.data, options.seeds),
        "unlabelled": unlabelled_table(options.data),
    }
    if options.summe is not None:
        sections["summe"] = summe_table(options.summe)
    text = PAGE.read_text(encoding="utf-8")
    for name, table in sections.items():
        start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        pattern = re.escape(start) + ".*?" + re.escape(end)
        text = re.sub(pattern, (start + table + end).replace("\\", r"\\"), text, flags=re.S)
    from hlcli.atomic import write_text

    write_text(PAGE, text)
    print(f"wrote {PAGE}", file=sys.stderr)
    return 0


def taste_table(data: Path, seeds: int) -> str:
    from bench import hardware
    from finetune_parts.footage import read_material
    from finetune_parts.taste import NUM_SPANS, measure

    from hlcli.evaluation.bootstrap import bootstrap_interval
    from hlcli.evaluation.composite import compose_features
    from hlcli.evaluation.composite_plan import HEADLINE_KINDS, plan_composites
    from hlcli.model.load import load_scorer
    from hlcli.zoo.manifest import find_model
    from hlcli.zoo.weights import weights_path

    stored = WORK / f"taste-{seeds}.json"
    if not stored.is_file():
        material = read_material(data)
        general = []
        for kind in HEADLINE_KINDS:
            clips = list(material.clips["test"])
            for plan in plan_composites(clips, kind=kind, num_videos=GENERAL_PER_KIND, seed=0):
                general.append(compose_features(plan, dict(material.features_of)))
        scorer = load_scorer(weights_path(find_model("rasl")))
        found: list[Measured] = []
        for one in measure(material, scorer, seeds=seeds, general=general):
            if not found or found[-1].project != one.project:
                print(f"seed {one.seed}, project {one.project}", file=sys.stderr, flush=True)
            found.append(one)
        plain = [dataclasses.asdict(one) for one in found]
        stored.write_text(json.dumps({"hardware": hardware(), "found": plain}), encoding="utf-8")
    kept = json.loads(stored.read_text(encoding="utf-8"))
    by_row: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for one in kept["found"]:
        by_row[one["row"], one["spans"]].append(one)
    lines = [
        "| row | " + " | ".join(f"{n} spans" if n > 1 else "1 span" for n in NUM_SPANS) + " |",
        "| --- |" + " ---: |" * len(NUM_SPANS),
    ]
    for row in dict.fromkeys(row for row, _ in by_row):
        cells = []
        for spans in NUM_SPANS:
            values = by_row.get((row, spans)) or by_row.get((row, 0), [])
            if not values:
                cells.append("")
                continue
            numbers = [value["ap"] for value in values]
            if row.startswith("CPU"):
                cells.append(f"{sum(numbers) / len(numbers):.2f}")
                continue
            # Projects share clips: whole projects are drawn.
            interval = bootstrap_interval(numbers, videos=[value["project"] for value in values])
            cells.append(
                f"{100 * interval.mean:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
            )
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    opposite = []
    for spans in NUM_SPANS:
        sides = [
            [o["ap"] for o in by_row["tuned (v)", spans] if o["opposite"] == side]
            for side in (False, True)
        ]
        opposite.append(" and ".join(f"{100 * sum(s) / len(s):.1f}" for s in sides))
    lines.append("| tuned (v): one taste, and the opposite one | " + " | ".join(opposite) + " |")
    count = len(by_row["tuned (v)", 10])
    lines += ["", f"{count} runs a cell, {seeds} seeds. {' '.join(kept['hardware'])}"]
    return "\n".join(lines) + "\n"


def unlabelled_table(data: Path) -> str:
    import torch
    from bench import hardware
    from finetune_parts.footage import read_material
    from finetune_parts.unlabelled import SETTINGS, Adapted, measure_unlabelled, unlabelled_lines

    from hlcli.zoo.manifest import find_model
    from hlcli.zoo.weights import weights_path

    torch.set_num_threads(1)
    stored = WORK / "unlabelled.json"
    if not stored.is_file():
        found: list[Adapted] = []
        weights = weights_path(find_model("rasl"))
        for one in measure_unlabelled(read_material(data), weights, SETTINGS, work=WORK):
            if not found or found[-1].average != one.average:
                print(f"{one.parent}, project {one.project}, rate {one.learning_rate:g}, "
                      f"average {one.average}", file=sys.stderr, flush=True)  # fmt: skip
            found.append(one)
        plain = [dataclasses.asdict(one) for one in found]
        stored.write_text(json.dumps({"hardware": hardware(), "found": plain}), encoding="utf-8")
    kept = json.loads(stored.read_text(encoding="utf-8"))
    lines = unlabelled_lines([Adapted(**one) for one in kept["found"]])
    return "\n".join([*lines, "", " ".join(kept["hardware"])]) + "\n"


def summe_table(data: Path) -> str:
    from finetune_parts.summe import measure_summe

    from hlcli.evaluation.bootstrap import bootstrap_interval

    stored = WORK / "summe.json"
    if not stored.is_file():
        stored.write_text(json.dumps(list(measure_summe(data))), encoding="utf-8")
    by_row: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for row, video, value in json.loads(stored.read_text(encoding="utf-8")):
        by_row[row].append((video, value))
    lines = ["| row | AP x 100 against one annotator's selection |", "| --- | ---: |"]
    for row, values in by_row.items():
        found = bootstrap_interval([v for _, v in values], videos=[name for name, _ in values])
        lines.append(
            f"| {row} | {100 * found.mean:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}] |"
        )
    lines += ["", f"{len({n for v in by_row.values() for n, _ in v})} videos, "
              f"{datetime.date.today()}"]  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
