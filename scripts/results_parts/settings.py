"""What one run of scripts/results measures, and the JSON files that keep what was measured."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlcli.atomic import write_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where things are and how much is measured; the same ones find stored pieces again."""

    data: Path
    """Folder of the labelled clips with its manifest.json."""
    work: Path
    """Folder of the pieces; runs that were stopped go on from there."""
    recipe: Path
    """Recipe whose settings the ablations change."""
    subspace_recipe: Path
    """Recipe of the closed form that stands beside them."""
    overrides: tuple[str, ...] = ()
    """Changes to the first recipe, as `hl train --set` takes them."""
    seeds: int = 2
    """Seeds a row, counted from 0."""
    jobs: int = 1
    """Processes, each on one core."""
    videos_per_kind: int = 40
    """Composites of each kind."""
    rows: str = "*"
    """Pattern of the names of rows that are run; the page shows all that are there."""

    def piece_path(self, folder: str, key: object) -> Path:
        """File of one piece; everything that its content depends on belongs into `key`.

        The manifest and the number of composites are part of every key.
        """
        text = json.dumps([key, self.videos_per_kind, _manifest_digest(self.data)], sort_keys=True)
        return self.work / folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"


def read_piece(path: Path) -> dict[str, Any] | None:
    """Read a stored piece; None where there is none, or one that says why it failed."""
    if not path.is_file():
        return None
    piece: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return None if "error" in piece else piece


def read_failure(path: Path) -> str | None:
    """Say why a piece could not be measured; None where it was, or nobody tried."""
    if not path.is_file():
        return None
    error = json.loads(path.read_text(encoding="utf-8")).get("error")
    return None if error is None else str(error)


def write_piece(path: Path, piece: dict[str, Any]) -> None:
    """Store a piece, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(piece, indent=1) + "\n")


def plain(value: Any) -> Any:
    """Turn a dataclass into what JSON can hold."""
    return json.loads(json.dumps(dataclasses.asdict(value)))


def _manifest_digest(data: Path) -> str:
    return hashlib.sha256((data / "manifest.json").read_bytes()).hexdigest()
