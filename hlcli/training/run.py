"""One training run: a recipe in, a folder with the model, the resolved recipe and the losses out.

`model.safetensors` is the detector, `recipe.toml` what made it with every setting spelled out,
`losses.jsonl` one line a step, `state.safetensors` what a stopped run goes on from.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import torch

from hlcli.atomic import make_folder, write_text
from hlcli.errors import UsageError
from hlcli.features.device import memory_errors, resolve_device
from hlcli.lock import exclusive_lock
from hlcli.model.config import RaslConfig
from hlcli.model.detector import RaslNetwork
from hlcli.model.fusion import FusedScorer
from hlcli.model.load import save_scorer
from hlcli.model.projection import ProjectionPair, fit_projections_to_blocks
from hlcli.model.rasl import RaslScorer, install_projections
from hlcli.progress import Progress, silent
from hlcli.training.clips import ClipSource, count_paired, paired_blocks
from hlcli.training.corpus import open_corpus
from hlcli.training.dataset import SequenceSampler
from hlcli.training.distributed import (
    ALONE,
    Ranks,
    device_name,
    joined,
    ranks_of_environment,
)
from hlcli.training.fit_rarity import fit_rarity
from hlcli.training.fit_subspace import fit_subspace
from hlcli.training.loop import OnStep, ignore_step, train_network
from hlcli.training.recipe import RarityRecipe, RaslRecipe, Recipe, recipe_digest, to_toml

MODEL_FILE = "model.safetensors"
"""The trained detector."""
RECIPE_FILE = "recipe.toml"
"""The resolved recipe."""
LOCK_FILE = ".lock"
"""Held while a run writes into the folder; empty, and it stays."""
_OUTPUT_HINT = "choose another output with --set output=FOLDER"


def train(
    recipe: Recipe,
    *,
    device: str = "auto",
    progress: Progress = silent,
    on_step: OnStep = ignore_step,
) -> Path:
    """Read the corpus a recipe names, train, and return the model file.

    Started by `torchrun`, the processes train together, and the first one writes.

    Raises:
        RecipeError: The recipe names no data, or data that is not there.
        MediaError: A folder holds no video.
        TrainingError: Nothing to learn from, a loss that is no number, or another run's state.
        UsageError: Another run is writing into the output folder right now.
        DeviceError: The device is missing or out of memory.
        OutputError: The output folder cannot be written.
    """
    ranks = ranks_of_environment()
    device = device_name(device)
    with joined(ranks, resolve_device(device)), locked_output(recipe, ranks):
        corpus, _ = open_corpus(recipe.data, device=device, ranks=ranks, progress=progress)
        return train_on(
            corpus, recipe, device=device, ranks=ranks, progress=progress, on_step=on_step
        )


@contextlib.contextmanager
def locked_output(recipe: Recipe, ranks: Ranks = ALONE) -> Iterator[None]:
    """Make the output folder and keep other runs out of it, before hours are spent on features.

    Two runs in one folder would each go on from the state of the other. Of several processes that
    train together the first one holds it.

    Raises:
        UsageError: Another run is writing into it.
        OutputError: It cannot be made or written.
    """
    if not ranks.is_first:
        yield
        return
    output = Path(recipe.output).expanduser()
    make_folder(output, hint=_OUTPUT_HINT)

    def busy() -> NoReturn:
        raise UsageError(
            f"another run is writing into {output} right now",
            hint=f"wait until it is done, or {_OUTPUT_HINT}",
        )

    with exclusive_lock(output / LOCK_FILE, on_wait=busy, hint=_OUTPUT_HINT):
        yield


def train_on(
    corpus: ClipSource,
    recipe: Recipe,
    *,
    device: str = "cpu",
    ranks: Ranks = ALONE,
    progress: Progress = silent,
    on_step: OnStep = ignore_step,
) -> Path:
    """Train on features that are already there; see `train`.

    The caller sees to it that nothing else writes into the output folder: `locked_output`.
    """
    output = Path(recipe.output).expanduser()
    make_folder(output, hint=_OUTPUT_HINT)
    scorer: FusedScorer
    if isinstance(recipe, RaslRecipe):
        where = resolve_device(device)
        with memory_errors(where):
            scorer = _train_rasl(corpus, recipe, output, where, ranks, on_step)
    else:
        progress(f"fitting {recipe.kind}", 0, 1)
        if isinstance(recipe, RarityRecipe):
            scorer = fit_rarity(recipe, corpus)
        else:
            scorer = fit_subspace(recipe, corpus)
        progress(f"fitting {recipe.kind}", 1, 1)
    path = output / MODEL_FILE
    if not ranks.is_first:
        return path
    write_text(output / RECIPE_FILE, to_toml(recipe))
    plain = dataclasses.asdict(recipe)
    # The model is the same wherever the videos and the result are kept.
    del plain["output"], plain["data"]["folders"], plain["data"]["manifest"]
    del plain["data"]["shards"]
    plain["data"]["visual_encoder"] = corpus.spec.visual_encoder
    save_scorer(scorer, path, feature_spec=corpus.spec, recipe=plain)
    return path


def _train_rasl(
    corpus: ClipSource,
    recipe: RaslRecipe,
    output: Path,
    device: torch.device,
    ranks: Ranks,
    on_step: OnStep,
) -> RaslScorer:
    config, maps = _fitted_config(recipe.model, corpus)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.training.seed)
        network = RaslNetwork(config)
    if maps is not None:
        install_projections(network, maps)
    sampler = SequenceSampler(corpus, recipe.data, seed=recipe.training.seed)
    run_digest = hashlib.sha256(f"{recipe_digest(recipe)} {corpus.digest()}".encode()).hexdigest()
    train_network(
        network,
        sampler,
        objective=recipe.objective,
        training=recipe.training,
        output=output,
        run_digest=run_digest,
        device=device,
        ranks=ranks,
        on_step=on_step,
    )
    scorer = RaslScorer(network, spec_digest=corpus.spec.digest(), device=device)
    if ranks.is_first:
        scorer.calibrate(sampler.calibration())
    return scorer


def _fitted_config(
    config: RaslConfig, corpus: ClipSource
) -> tuple[RaslConfig, ProjectionPair | None]:
    """The architecture with the corpus's sizes, and its fixed input maps where it has such."""
    config = dataclasses.replace(
        config, visual_size=corpus.spec.visual_size, audio_size=corpus.spec.audio_size
    )
    num_clips = count_paired(corpus)
    if config.input_projection == "none":
        return config, None
    maps = fit_projections_to_blocks(
        paired_blocks(corpus), num_clips, kind=config.input_projection, dim=config.input_dim
    )
    return dataclasses.replace(config, input_dim=maps.visual.weight_VD.shape[1]), maps
