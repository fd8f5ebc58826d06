"""Feeds mutated files to hl and counts what happens. Bounded; not part of the tests.

Each input comes from `--seed` and its number alone, so that a failure can be made again:
`scripts/fuzz --media 1 --first 1234`.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from fuzz_parts.children import Outcome, run_child

KINDS = ("media", "timelines")
"""Modules of `fuzz_parts`, one for each kind of input."""
_MOST_SECONDS = 60.0
_MOST_BYTES = 1 << 30


def main() -> int:
    """Run what the command line asks for; 1 when anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=int, default=0, metavar="N", help="inputs to try")
    parser.add_argument("--seed", type=int, default=0, help="another number, other inputs")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--seconds", type=float, default=3600.0, help="stop after this long")
    parser.add_argument("--keep", type=Path, help="folder for the inputs that failed")
    options = parser.parse_args()
    ends = time.monotonic() + options.seconds
    num_failed = 0
    for kind in KINDS:
        if count := getattr(options, kind):
            numbers = range(options.first, options.first + count)
            num_failed += _run(kind, numbers, options.seed, ends, options.keep)
    return 1 if num_failed else 0


def _run(kind: str, numbers: range, seed: int, ends: float, keep: Path | None) -> int:
    module = importlib.import_module(f"fuzz_parts.{kind}")
    outcomes: Counter[str] = Counter()
    slowest = largest = Outcome("", "", 0.0, 0)
    num_failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "seeds").mkdir()
        seeds = module.prepare(folder / "seeds")
        # Ctrl-C ends the run, and the table says how far it came.
        with contextlib.suppress(KeyboardInterrupt):
            for number in numbers:
                if time.monotonic() > ends:
                    break
                chance = random.Random(f"{kind} {seed} {number}")
                path = module.mutate(seeds, folder / f"{kind}{number}", chance)
                outcome = run_child(
                    functools.partial(module.use, path),
                    most_seconds=_MOST_SECONDS,
                    most_bytes=_MOST_BYTES,
                )
                outcomes[outcome.kind] += 1
                slowest = max(slowest, outcome, key=lambda o: o.seconds)
                largest = max(largest, outcome, key=lambda o: o.peak_bytes)
                if outcome.is_failure:
                    num_failed += 1
                    print(f"{path.name}: {outcome.kind}: {outcome.detail}", flush=True)
                    if keep is not None:
                        keep.mkdir(parents=True, exist_ok=True)
                        shutil.copy(path, keep)
                path.unlink()
    print(f"| {kind}, seed {seed}, from {numbers.start}, {len(seeds)} whole files | inputs |")
    print("| --- | ---: |")
    for what, number in sorted(outcomes.items()):
        print(f"| {what} | {number:,} |")
    print(f"| together | {sum(outcomes.values()):,} |")
    print(f"| slowest, s | {slowest.seconds:.1f} |")
    print(f"| largest memory, MB | {largest.peak_bytes / 1e6:.0f} |")
    return num_failed


if __name__ == "__main__":
    sys.exit(main())
