"""Measure what docs/benchmarks/results.md shows, and write that page.

    scripts/results                             # everything that is not there yet, then the page
    scripts/results --only ablations --jobs 2   # one part
    scripts/results --only page                 # the page anew from what is there

Every measured piece is a JSON file in the work folder and is not measured again; Ctrl-C loses at
most the runs that are under way, and those go on from their last saved step.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results_parts.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("ablations", "curves", "cost", "failures", "examples", "page")


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    # Before torch is imported: each process has one core, and threads that spin would fight.
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from results_parts.settings import Settings

    from hlcli.errors import HlError

    settings = Settings(
        data=options.data or data_of(options.recipe),
        work=options.work,
        recipe=options.recipe,
        subspace_recipe=options.subspace_recipe,
        overrides=tuple(options.set),
        seeds=options.seeds,
        jobs=options.jobs,
        videos_per_kind=options.videos_per_kind,
        rows=options.rows,
    )
    try:
        for part in [options.only] if options.only else PARTS:
            run_part(part, settings, options.page)
    except HlError as error:
        say(f"error: {error.message}" + (f" ({error.hint})" if error.hint else ""))
        return error.exit_code
    except KeyboardInterrupt:
        say("stopped; the same command goes on from here")
        return 130
    return 0


def run_part(part: str, settings: Settings, page: Path) -> None:
    if part == "ablations":
        from results_parts.ablations import run_ablations

        run_ablations(settings, say)
    elif part == "curves":
        from results_parts.curves import draw_curves

        draw_curves(settings, say)
    elif part == "cost":
        from results_parts.cost import measure_cost

        measure_cost(settings, say)
    elif part == "failures":
        from results_parts.failures import measure_failures

        measure_failures(settings, say)
    elif part == "examples":
        from results_parts.examples import make_examples

        make_examples(settings, say)
    else:
        from results_parts.page import write_page

        write_page(settings, page, say)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    recipes = ROOT / "model_zoo/recipes"
    parser = argparse.ArgumentParser(
        prog="scripts/results", description=(__doc__ or "").splitlines()[0]
    )
    add = parser.add_argument
    add("--data", type=Path, help="folder of the labelled clips; default: that of the recipe")
    add("--work", type=Path, default=Path("runs/results"), help="folder of the pieces")
    add("--only", choices=PARTS, help="one part; default: all, in this order")
    add("--seeds", type=int, default=2, help="seeds a row, from 0 (default 2)")
    add("--jobs", type=int, default=1, help="training processes, one core each (default 1)")
    add("--rows", default="*", metavar="PATTERN", help="rows to run, such as 'recipe/losses/*'")
    add("--videos-per-kind", type=int, default=40, help="composites of each kind (default 40)")
    add("--recipe", type=Path, default=recipes / "rasl.toml", help="the base of the ablations")
    add("--subspace-recipe", type=Path, default=recipes / "subspace.toml")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="change the base")
    add("--page", type=Path, default=ROOT / "docs/benchmarks/results.md", help="page to write")
    options = parser.parse_args(arguments)
    if min(options.seeds, options.jobs, options.videos_per_kind) < 1:
        parser.error("--seeds, --jobs and --videos-per-kind are at least 1")
    return options


def data_of(recipe: Path) -> Path:
    """Folder of the manifest that a recipe names."""
    from hlcli.training.recipe import read_recipe

    return Path(read_recipe(recipe).data.manifest).expanduser().parent


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
