"""What the values of a manifest may be; every failure is a `ValueError` that names the key."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from hlcli.plain_data import did_you_mean
from hlcli.zoo.urls import check_url, file_name

FeatureTable: TypeAlias = Mapping[str, str | int | float]

FEATURE_KEYS: Mapping[str, type] = {
    "clip_seconds": float,
    "visual_encoder": str,
    "visual_sha256": str,
    "visual_size": int,
    "picture_size": int,
    "audio_encoder": str,
    "audio_sha256": str,
    "audio_size": int,
    "extraction_version": int,
}
"""The fields of `features.types.FeatureSpec`, which stands above this layer; a test compares."""

_PUBLISHED_KEYS = ("package", "file", "sha256")
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Windows opens the device whatever the extension.
_DEVICE_NAME = re.compile(r"con|prn|aux|nul|com\d|lpt\d")


_TOML_WORDS: Mapping[type, str] = {
    str: "string",
    int: "whole number",
    bool: "truth value",
    dict: "table",
}


def check_table(
    table: Mapping[str, object], wanted: Mapping[str, type], *, required: Iterable[str]
) -> None:
    """Accept a table whose keys are all known and of their type, with every required one."""
    for key, value in table.items():
        if key not in wanted:
            raise ValueError(f"unknown key `{key}`{did_you_mean(key, wanted)}")
        if type(value) is not wanted[key]:
            raise ValueError(f"key `{key}` takes a {_TOML_WORDS[wanted[key]]}, got {value!r}")
    for key in required:
        if key not in table:
            raise ValueError(f"key `{key}` is missing")


def with_floats(table: dict[str, Any]) -> None:
    """Turn whole numbers into floats where a manifest means floats, in place."""
    features = table.get("features", {})
    if type(features.get("clip_seconds")) is int:
        features["clip_seconds"] = float(features["clip_seconds"])
    for key, value in table.get("scores", {}).items():
        if type(value) not in (int, float):
            raise ValueError(f"key `scores.{key}` is a finite number, got {value!r}")
        table["scores"][key] = float(value)


def is_model_name(name: str) -> bool:
    """Whether a model may be called that: lowercase letters, digits and inner dashes."""
    return bool(_NAME.fullmatch(name)) and not _DEVICE_NAME.fullmatch(name)


def check_sha256(key: str, value: str) -> None:
    """Accept 64 lowercase hex digits."""
    if not _SHA256.fullmatch(value):
        raise ValueError(f"key `{key}` takes 64 lowercase hex digits, got {value!r}")


def check_relative(key: str, value: str) -> None:
    """Accept a `.safetensors` path that cannot leave the manifest's folder on any system."""
    # Lexical on purpose: installers may link the files from elsewhere, which is their right.
    parts = value.split("/")
    if any(part in ("", ".", "..") for part in parts) or re.search(r"[\\:\x00-\x1f]", value):
        raise ValueError(f"key `{key}` is a path inside the manifest's folder, got {value!r}")
    if not value.endswith(".safetensors"):
        raise ValueError(f"key `{key}` ends in .safetensors, got {value!r}")


def check_weights_url(key: str, url: str) -> None:
    """Accept an https address (http to this machine) ending in a plain name; see `file_name`."""
    try:
        check_url(url)
        file_name(url)
    except ValueError as error:
        raise ValueError(f"key `{key}`: {error}, got {url!r}") from error


def check_origin(file: str | None, url: str | None, published: Mapping[str, str] | None) -> None:
    """Accept exactly one place where the weights come from."""
    if sum(item is not None for item in (file, url, published)) != 1:
        raise ValueError("exactly one of `file`, `url` and the table [published] is needed")
    if file is not None:
        check_relative("file", file)
    if url is not None:
        check_weights_url("url", url)
    if published is not None:
        check_published(published)


def check_scores(scores: Mapping[str, float]) -> None:
    """Accept finite numbers."""
    for key, value in scores.items():
        if not math.isfinite(value):
            raise ValueError(f"key `scores.{key}` is a finite number, got {value}")


def check_features(table: FeatureTable) -> None:
    """Accept a table with every field of `FeatureSpec`, each of its type, and nothing else."""
    for key, value in table.items():
        if key not in FEATURE_KEYS:
            raise ValueError(f"unknown key `features.{key}`{did_you_mean(key, FEATURE_KEYS)}")
        wanted = FEATURE_KEYS[key]
        if type(value) is not wanted:
            raise ValueError(f"key `features.{key}` takes a {wanted.__name__}, got {value!r}")
        if isinstance(value, str) and key.endswith("sha256"):
            check_sha256(f"features.{key}", value)
        if not isinstance(value, str) and not 0 < value < math.inf:
            raise ValueError(f"key `features.{key}` is above 0, got {value!r}")
    for key in FEATURE_KEYS:
        if key not in table:
            raise ValueError(f"key `features.{key}` is missing")


def check_encoder(table: FeatureTable, *, kind: str) -> None:
    """Accept the name of a family and what it wants to know: texts and numbers."""
    if kind != "encoder":
        raise ValueError("a table [encoder] belongs to encoders only")
    family = table.get("family")
    if not isinstance(family, str) or not is_model_name(family):
        raise ValueError(
            f"key `encoder.family` takes lowercase letters, digits and dashes, got {family!r}"
        )
    for key, value in table.items():
        if type(value) not in (str, int, float):
            raise ValueError(f"key `encoder.{key}` is a text or a number, got {value!r}")


def check_parent(name: str, *, kind: str) -> None:
    """Accept the name of a detector as parent of a detector."""
    if kind in ("encoder", "faces") or not is_model_name(name):
        raise ValueError(f"key `parent` is the name of a detector's parent, got {name!r}")


def check_published(table: Mapping[str, str]) -> None:
    """Accept a package with its version, a file in it, and the file's hash."""
    for key, value in table.items():
        if key not in _PUBLISHED_KEYS:
            raise ValueError(f"unknown key `published.{key}`{did_you_mean(key, _PUBLISHED_KEYS)}")
        if type(value) is not str or not value:
            raise ValueError(f"key `published.{key}` is a text, got {value!r}")
    for key in _PUBLISHED_KEYS:
        if key not in table:
            raise ValueError(f"key `published.{key}` is missing")
    if not _PACKAGE.fullmatch(table["package"]):
        raise ValueError(f"key `published.package` is NAME==VERSION, got {table['package']!r}")
    check_sha256("published.sha256", table["sha256"])
