"""Model files: safetensors with everything else as JSON in the header; nothing can run code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

import hlcli
from hlcli.atomic import write_bytes
from hlcli.errors import CheckpointError
from hlcli.features.types import FeatureSpec
from hlcli.plain_data import FieldError, fill

SCHEMA = "hl.checkpoint/1"
"""Name and version of the header's layout."""

_KEY = "hl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A trained model on disk."""

    kind: str
    """Kind of detector, one of `hlcli.zoo.manifest.DetectorKind`."""
    config: dict[str, Any]
    """Settings of that kind as plain data."""
    feature_spec: FeatureSpec
    """What made the features it was trained on: encoders by name and hash."""
    statistics: dict[str, Any]
    """`Statistics.to_json()`."""
    recipe: dict[str, Any]
    """The resolved recipe it was trained with; empty when there was none."""
    tensors: dict[str, npt.NDArray[Any]]
    """Weights by name."""
    hlcli_version: str = hlcli.__version__
    """Version of this package that wrote it."""

    def write(self, path: Path) -> None:
        """Write atomically; the same model gives the same bytes.

        Raises:
            OutputError: The folder is missing or read-only, or the disk is full.
        """
        header = {
            "schema": SCHEMA,
            "kind": self.kind,
            "config": self.config,
            "feature_spec": asdict(self.feature_spec),
            "feature_spec_digest": self.feature_spec.digest(),
            "statistics": self.statistics,
            "recipe": self.recipe,
            "hlcli_version": self.hlcli_version,
        }
        tensors = {name: np.ascontiguousarray(self.tensors[name]) for name in sorted(self.tensors)}
        metadata = {_KEY: json.dumps(header, sort_keys=True)}
        write_bytes(path, safetensors.numpy.save(tensors, metadata))

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read a model file.

        Raises:
            CheckpointError: No such file, not a safetensors file, or not one of ours.
        """
        tensors, metadata = read_tensors(path)
        try:
            header = json.loads(metadata[_KEY])
            if header["schema"] != SCHEMA:
                raise CheckpointError(
                    f"{path} has the layout {header['schema']!r}, not {SCHEMA!r}",
                    hint="update hl, or train the model again",
                )
            spec = fill(FeatureSpec, header["feature_spec"], where="feature_spec")
            checkpoint = cls(
                kind=str(header["kind"]),
                config=dict(header["config"]),
                feature_spec=spec,
                statistics=dict(header["statistics"]),
                recipe=dict(header["recipe"]),
                tensors=tensors,
                hlcli_version=str(header["hlcli_version"]),
            )
        except (KeyError, TypeError, json.JSONDecodeError, FieldError) as error:
            raise CheckpointError(
                f"{path} is not a model of hl: its header lacks or garbles {error}",
                hint="give a model.safetensors that `hl train` wrote",
            ) from error
        if spec.digest() != header.get("feature_spec_digest"):
            raise CheckpointError(
                f"{path} contradicts itself: its feature specification has another digest",
                hint="the file was changed after it was written; get it again",
            )
        return checkpoint


def read_tensors(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """Read all arrays and the header of a safetensors file.

    Raises:
        CheckpointError: The file is missing, cut off or not safetensors.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            return tensors, dict(stored.metadata() or {})
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no model file {path}", hint="check the path") from error
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            f"{path} is not a readable safetensors file: {error}",
            hint="the file is damaged or of another kind; get it again",
        ) from error


def check_tensors(
    found: Mapping[str, npt.NDArray[Any]], expected: Mapping[str, tuple[int, ...]]
) -> None:
    """Compare names and shapes, strictly.

    Raises:
        CheckpointError: Says which names are missing or unexpected, or which shapes differ.
    """
    problems = []
    if missing := sorted(set(expected) - set(found)):
        problems.append(f"missing {_some(missing)}")
    if unexpected := sorted(set(found) - set(expected)):
        problems.append(f"unexpected {_some(unexpected)}")
    wrong = [
        f"{name} {found[name].shape} instead of {tuple(expected[name])}"
        for name in sorted(set(found) & set(expected))
        if found[name].shape != tuple(expected[name])
    ]
    if wrong:
        problems.append(f"wrong shapes {_some(wrong)}")
    if problems:
        raise CheckpointError(
            f"the checkpoint does not fit the model: {'; '.join(problems)}",
            hint="the file was made by another version, or changed",
        )


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"
