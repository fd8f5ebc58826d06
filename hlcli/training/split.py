"""Splits a corpus so that training and test never share a group.

Rows of a manifest with a group are dealt by source, label and group; a row without a group is a
group of its own. Within each label (each source, where there is no label) the groups are put in
the order of the sha256 of their key and dealt in turn: train, test, dev, train, test, train, ...
That is 40 % train, 20 % dev and 40 % test, with every label in each part that has three groups.
Nothing is drawn at random, so every machine makes the same split.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from hlcli.errors import RecipeError

Split: TypeAlias = Literal["train", "dev", "test", "train+dev", "all"]

PARTS: tuple[Split, ...] = ("train", "dev", "test")
"""The parts that no two groups share."""

_DEAL: tuple[Split, ...] = ("train", "test", "dev", "train", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRow:
    """One video of a manifest; only what splitting needs."""

    file: str
    """File name, relative to the manifest's folder."""
    source: str = ""
    """Where the video is from."""
    label: str | None = None
    """What it shows; None where nobody said."""
    group: str | None = None
    """Videos cut from the same recording share it; None where the file stands alone."""

    @property
    def group_key(self) -> str:
        """Name of the group that must stay in one part."""
        if self.group is None:
            return f"{self.source}/{self.label}/file:{self.file}"
        return f"{self.source}/{self.label}/{self.group}"


def read_manifest(path: Path) -> list[ManifestRow]:
    """Read a JSON list of objects with `file` and optionally source, label and group.

    Raises:
        RecipeError: The file is missing or laid out otherwise.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [_row(row) for row in rows]
    except OSError as error:
        raise RecipeError(
            f"cannot read the manifest {path}: {error.strerror or error}",
            hint="correct data.manifest, or leave it out to use all of data.folders",
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecipeError(
            f"the manifest {path} is not a JSON list of rows with a file: {error}"
        ) from error


def assign_parts(rows: Sequence[ManifestRow]) -> dict[str, Split]:
    """Part of each group, by group key; see the module's text for the rule."""
    buckets: dict[str, set[str]] = {}
    for row in rows:
        bucket = f"label:{row.label}" if row.label is not None else f"source:{row.source}"
        buckets.setdefault(bucket, set()).add(row.group_key)
    parts: dict[str, Split] = {}
    for keys in buckets.values():
        ordered = sorted(keys, key=lambda key: hashlib.sha256(key.encode()).hexdigest())
        parts |= dict(zip(ordered, itertools.cycle(_DEAL), strict=False))
    return parts


def assign_splits(rows: Sequence[Mapping[str, object]]) -> list[Split]:
    """Part of each row of a parsed manifest, in its order; missing fields count as None."""
    keyed = [_row(row) for row in rows]
    parts = assign_parts(keyed)
    return [parts[row.group_key] for row in keyed]


def select_rows(rows: Sequence[ManifestRow], split: Split) -> list[ManifestRow]:
    """Rows of one part, of train and dev together, or all; in the manifest's order."""
    if split == "all":
        return list(rows)
    parts, wanted = assign_parts(rows), split.split("+")
    return [row for row in rows if parts[row.group_key] in wanted]


def _row(row: Mapping[str, object]) -> ManifestRow:
    return ManifestRow(
        file=str(row["file"]),
        source=str(row.get("source") or ""),
        label=None if row.get("label") is None else str(row["label"]),
        group=None if row.get("group") is None else str(row["group"]),
    )
