"""How timm and OpenCLIP make a network from a name and weights, and what it must be given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from torch import nn

from hlcli.errors import ModelError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """What a backbone was trained to be given."""

    picture_size: int
    """Side of the square picture, in pixels."""
    mean: tuple[float, ...]
    """What is taken from each colour, in [0, 1]."""
    deviation: tuple[float, ...]
    """What each colour is divided by then, above 0."""


def build_timm(
    timm: ModuleType, architecture: str, file: str | None
) -> tuple[nn.Module, Preprocessing]:
    """Build a network of timm that ends in its pooled features.

    Args:
        timm: The library.
        architecture: As timm names it, with or without a tag.
        file: Its weights; None leaves it to timm to fetch them.

    Raises:
        ModelError: There is no such architecture, or its pictures are no squares in colour.
        Exception: Whatever timm raises when the weights cannot be had or do not fit.
    """
    if not timm.is_model(architecture):
        guesses = timm.list_models(f"*{architecture.split('.')[0]}*")[:3]
        raise ModelError(
            f"timm has no architecture {architecture!r}",
            hint=f"did you mean {', '.join(guesses)}?" if guesses else "see timm.list_models()",
        )
    if file is None:
        network = timm.create_model(architecture, pretrained=True)
    else:
        network = _timm_from_file(timm, architecture, file)
    network.reset_classifier(0)
    config = network.pretrained_cfg
    colours, height, width = config["input_size"]
    return network, _preprocessing(
        architecture, (height, width), config["mean"], config["std"], colours=colours
    )


def _timm_from_file(timm: ModuleType, architecture: str, file: str) -> nn.Module:
    """Load a file with exactly the classes it was saved with.

    With any other number of them timm loads what fits and leaves the rest random without an error.
    """
    tensors = timm.models.load_state_dict(file, weights_only=True)
    config = timm.get_pretrained_cfg(architecture)
    heads = [config.classifier] if isinstance(config.classifier, str) else config.classifier or ()
    saved = [len(tensors[f"{head}.weight"]) for head in heads if f"{head}.weight" in tensors]
    num_classes = saved[0] if saved else 0
    overlay = {"state_dict": tensors, "num_classes": num_classes, "label_offset": 0}
    network: nn.Module = timm.create_model(
        architecture, pretrained=True, num_classes=num_classes, pretrained_cfg_overlay=overlay
    )
    return network


def build_open_clip(
    open_clip: ModuleType, architecture: str, weights: str | None
) -> tuple[nn.Module, Preprocessing]:
    """Build the picture side of a network of OpenCLIP; see `build_timm`.

    Args:
        open_clip: The library.
        architecture: As OpenCLIP names it.
        weights: A file, or the tag of published weights.

    Raises:
        UsageError: There are several published weights and none is named.
        ModelError: As in `build_timm`.
        Exception: Whatever OpenCLIP raises when the weights cannot be had or do not fit.
    """
    if architecture not in open_clip.list_models():
        raise ModelError(
            f"OpenCLIP has no architecture {architecture!r}",
            hint="open_clip.list_models() names them all",
        )
    if weights is None:
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        raise UsageError(
            f"OpenCLIP has several weights for {architecture}: {', '.join(tags)}",
            hint=f"name a file or one of them, as in open_clip:{architecture}@FILE",
        )
    model = open_clip.create_model(architecture, pretrained=weights, precision="fp32")
    config = open_clip.get_model_preprocess_cfg(model)
    size = config["size"]
    sides = (size, size) if isinstance(size, int) else tuple(size)
    return model.visual, _preprocessing(architecture, sides, config["mean"], config["std"])


def _preprocessing(
    architecture: str,
    sides: tuple[int, ...],
    mean: Sequence[float],
    deviation: Sequence[float],
    *,
    colours: int = 3,
) -> Preprocessing:
    if colours != 3 or len(set(sides)) != 1:
        raise ModelError(
            f"{architecture} reads pictures of {colours} colours and {sides} pixels",
            hint="choose a backbone for square pictures in three colours",
        )
    return Preprocessing(
        picture_size=int(sides[0]),
        mean=tuple(float(value) for value in mean),
        deviation=tuple(float(value) for value in deviation),
    )
