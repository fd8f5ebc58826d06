"""Damage files in a seeded way, read them in children with limits, and print what came of it.

    scripts/fuzz --timelines 10000 --seed 1       10,000 mutated timelines
    scripts/fuzz --timelines 100000 --seconds 600 what ten minutes allow
    scripts/fuzz --timelines 1 --seed 1 --only 77 one of them again; the file is kept

Not a part of the tests. Each file is read in a forked child, which may take 60 s and 1 GiB: a crash
costs one file. The exit code is 1 when there was anything that must not be. Files of which that is
true are kept in `--keep`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "tests"), str(ROOT / "scripts")]

from fuzz_parts import runner, timelines  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--timelines", type=int, default=0, metavar="N", help="how many of them")
    parser.add_argument("--seed", type=int, default=1, help="the same number, the same files")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after these")
    parser.add_argument("--only", type=int, help="the number of one file")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-kept"), help="folder for finds")
    arguments = parser.parse_args()
    table = runner.Table()
    if arguments.timelines:
        with timelines.prepared() as maker:
            numbers = range(arguments.timelines)
            if arguments.only is not None:
                numbers = range(arguments.only, arguments.only + 1)
            runner.run(
                maker,
                numbers,
                seed=arguments.seed,
                seconds=arguments.seconds,
                keep=arguments.keep,
                keep_all=arguments.only is not None,
                table=table,
            )
    print(table.text())
    return 1 if table.num_bad else 0


if __name__ == "__main__":
    sys.exit(main())
