"""The card of a model, `hl.model-card/1`: what it learned from, how, and how well it does.

Plain JSON; docs/reference/model-card.md describes it. Files are named without their folders: a
card travels with an exported model, and folders tell about people and customers.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal, TypeAlias

import hlcli
from hlcli.plain_data import fill, read_json
from hlcli.zoo.manifest_values import check_sha256, is_model_name

SCHEMA = "hl.model-card/1"
"""Name and version of the layout."""

Way: TypeAlias = Literal["training", "footage", "cut", "labels"]
"""How a model learned: `hl train` from the beginning; from unlabelled footage; from a finished
cut; from marked spans."""

MAX_TEXT_LETTERS = 4000
"""Longest text of a card."""


def plain_name(path: PurePath) -> str:
    """Return the name of a file without its folders, with `?` for what no card may hold.

    Example:
        >>> plain_name(PurePath("weddings/2025/take 1.mp4"))
        'take 1.mp4'
    """
    shown = path.name.encode("utf-8", "replace").decode("utf-8")
    shown = re.sub(r"[/\\]", "?", shown)
    return "".join("?" if unicodedata.category(one) == "Cc" else one for one in shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The model this one was tuned from."""

    name: str
    """Its name."""
    version: str
    """Its version."""
    sha256: str
    """sha256 of its weights, 64 lowercase hex digits."""

    def __post_init__(self) -> None:
        _check(self)
        if not is_model_name(self.name):
            raise ValueError(f"a parent cannot be called {self.name!r}")
        check_sha256("parent.sha256", self.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class FootageFile:
    """One file it learned from."""

    file: str
    """Name without folders; `plain_name` makes it."""
    sha256_head: str
    """`hlcli.media.identity.content_identity`: sha256 over size, first MiB and last MiB."""
    seconds: float
    """Length of the picture, in seconds."""

    def __post_init__(self) -> None:
        _check(self)
        _check_file(self.file)
        check_sha256("sha256_head", self.sha256_head)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSource:
    """One way it learned, with what went in."""

    way: Way
    """Which way."""
    file: str | None = None
    """Name of the cut or of the file of marks, without folders."""
    num_kept: int = 0
    """Spans that the editor kept."""
    num_passed: int = 0
    """Spans that the editor passed over or marked as `drop`."""
    num_unmatched: int = 0
    """Spans whose footage was not found; nothing was learned from them."""

    def __post_init__(self) -> None:
        _check(self)
        if self.file is not None:
            _check_file(self.file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """How one loss went."""

    name: str
    """Its name; "total" is the weighted sum."""
    first: float
    """At the first step."""
    last: float
    """At the last step."""
    num_steps: int
    """How many steps there were."""

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number, of the parent and of this model on the same data."""

    name: str
    """What was measured, such as "average precision"."""
    before: float | None
    """The parent's; None without a parent."""
    after: float
    """This model's."""
    num_files: int
    """Files it was measured on."""
    num_spans: int
    """Labelled spans in them."""
    held_out: bool
    """Whether the model learned nothing from these spans; otherwise the number flatters it."""

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """Everything about one model that is worth keeping; a `ValueError` names what is wrong."""

    name: str
    """Name of the model."""
    description: str
    """One sentence."""
    created: str | None
    """Day or instant in ISO 8601, such as "2025-11-23"; None where it is not known."""
    parent: Parent | None = None
    """What it was tuned from; None for a model trained from the beginning."""
    footage: tuple[FootageFile, ...] = ()
    """The files it learned from."""
    lessons: tuple[TrainingSource, ...] = ()
    """The ways it learned."""
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """Settings worth seeing, by name; a recipe has them all."""
    losses: tuple[Loss, ...] = ()
    """How the losses went."""
    figures: tuple[Figure, ...] = ()
    """What was measured before and after."""
    warnings: tuple[str, ...] = ()
    """What its user should know: contradictory labels, too few spans, worse than its parent."""
    hlcli_version: str = hlcli.__version__
    """Version of hl that made it."""

    def __post_init__(self) -> None:
        _check(self)
        if not is_model_name(self.name):
            raise ValueError(f"a model cannot be called {self.name!r}")
        if not self.description.strip():
            raise ValueError("`description` is empty")
        if self.created is not None and not re.fullmatch(
            r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?", self.created, re.ASCII
        ):
            raise ValueError(f"`created` is a date such as 2025-11-23, got {self.created!r}")

    def to_json(self) -> str:
        """Return the JSON text; equal cards give equal texts."""
        plain = {"schema": SCHEMA, **dataclasses.asdict(self)}
        return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read JSON text strictly.

        Raises:
            ValueError: Not JSON, another schema, an unknown or missing key, or a bad value.
        """
        plain = read_json(text)
        if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
            raise ValueError(f"it is not of the layout {SCHEMA}")
        del plain["schema"]
        return fill(cls, plain, where="card", noun="key")


def _check(record: Any) -> None:
    """Accept texts without control codes, finite numbers, and counts that are not negative."""
    for item in dataclasses.fields(record):
        value = getattr(record, item.name)
        values = value.items() if isinstance(value, Mapping) else [(item.name, value)]
        if isinstance(value, tuple):
            values = [(item.name, one) for one in value if isinstance(one, str)]
        for name, one in values:
            _check_value(name, name)
            _check_value(name, one)
            if item.name.startswith("num_") and one < 0:
                raise ValueError(f"`{name}` is at least 0, got {one}")
            if item.name == "seconds" and one <= 0:
                raise ValueError(f"`seconds` is above 0, got {one}")


def _check_value(name: str, value: object) -> None:
    if isinstance(value, str):
        # Cs: half a surrogate pair, which no UTF-8 file can hold.
        if any(unicodedata.category(one) in ("Cc", "Cs") for one in value):
            raise ValueError(f"`{name}` holds control codes: {value!r}")
        if len(value) > MAX_TEXT_LETTERS:
            raise ValueError(f"`{name}` has {len(value)} letters, {MAX_TEXT_LETTERS} are allowed")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"`{name}` is a finite number, got {value}")


def _check_file(name: str) -> None:
    if not name or re.search(r"[/\\]", name):
        raise ValueError(f"`file` is a name without folders, got {name!r}")
