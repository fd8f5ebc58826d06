"""Runs every row of the ablations that was not measured yet; each result is one file."""

from __future__ import annotations

import contextlib
import fnmatch
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

import torch

from hlcli.errors import RecipeError
from hlcli.training.recipe import DataConfig
from results_parts.measure import Material, measure_baselines, measure_row, read_material
from results_parts.rows import AblationRow, ablation_rows
from results_parts.settings import Settings, read_piece, write_piece

Say = Callable[[str], None]


def run_ablations(settings: Settings, say: Say) -> None:
    """Measure all rows that are not there yet, those of low tiers first.

    Raises:
        RecipeError: The recipes or overrides are wrong, or no row fits the pattern.
        UsageError: The clips cannot be read.
    """
    rows = [row for row in ablation_rows(settings) if fnmatch.fnmatch(row.full_name, settings.rows)]
    if not rows:
        raise RecipeError(f"no row is called {settings.rows!r}", hint="names: base/group/row")
    jobs: dict[Path, tuple[AblationRow, int]] = {}
    ordered = sorted(rows, key=lambda row: row.tier)
    for tier in sorted({row.tier for row in ordered}):
        for seed in range(settings.seeds):
            for row in ordered:
                if row.tier == tier and row.recipe is not None:
                    jobs.setdefault(row.path(settings, seed), (row, seed))
    todo = [job for path, job in jobs.items() if read_piece(path) is None]
    say(f"ablations: {len(jobs)} runs, {len(jobs) - len(todo)} already there")
    baselines = baselines_path(settings)
    if not todo and read_piece(baselines) is not None:
        return
    material = read_material(settings, visual_encoder=_visual_encoder(ordered))
    if read_piece(baselines) is None:
        write_piece(baselines, measure_baselines(settings, material))
    began = time.monotonic()
    for done, (row, seed, piece) in enumerate(_measured(settings, material, todo), start=1):
        write_piece(row.path(settings, seed), piece)
        left = (time.monotonic() - began) / done * (len(todo) - done)
        what = piece.get("error") or f"{piece['train_seconds'] or 0:.0f} s of training"
        say(
            f"[{done}/{len(todo)}] {row.full_name}, seed {seed}: {what}; "
            f"about {left / 60:.0f} min left"
        )


def baselines_path(settings: Settings) -> Path:
    """File of the baselines on the same composites."""
    return settings.piece_path("ablations", "baselines")


def _visual_encoder(rows: list[AblationRow]) -> str:
    encoders = {row.recipe.data.visual_encoder for row in rows if row.recipe is not None}
    if len(encoders) > 1:
        raise RecipeError(
            f"the recipes name several image encoders: {', '.join(sorted(encoders))}",
            hint="give both the same data.visual_encoder",
        )
    return encoders.pop() if encoders else DataConfig().visual_encoder


def _measured(
    settings: Settings, material: Material, todo: list[tuple[AblationRow, int]]
) -> Iterator[tuple[AblationRow, int, dict[str, Any]]]:
    """Yield results as they come; with several jobs, from processes of their own."""
    if settings.jobs == 1 or len(todo) <= 1:
        torch.set_num_threads(1)
        for row, seed in todo:
            yield row, seed, measure_row(settings, material, row, seed)
        return
    pool = ProcessPoolExecutor(
        min(settings.jobs, len(todo)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_process,
        initargs=(settings, material.corpus.spec.visual_encoder),
    )
    with _stopped_at_once(pool):
        left = iter(todo)
        running: dict[Future[dict[str, Any]], tuple[AblationRow, int]] = {}
        while True:
            # Few are ahead, so that little is lost when this is stopped.
            while len(running) < settings.jobs and (job := next(left, None)) is not None:
                running[pool.submit(_measure_in_process, settings, *job)] = job
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield *running.pop(future), future.result()


@contextlib.contextmanager
def _stopped_at_once(pool: ProcessPoolExecutor) -> Iterator[None]:
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    pool.shutdown()


_material: list[Material] = []


def _start_process(settings: Settings, visual_encoder: str) -> None:
    # Ctrl-C goes to all processes of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    _material.append(read_material(settings, visual_encoder=visual_encoder))


def _measure_in_process(settings: Settings, row: AblationRow, seed: int) -> dict[str, Any]:
    return measure_row(settings, _material[0], row, seed)
