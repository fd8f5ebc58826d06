"""Where `hl` keeps its files: feature cache, downloaded models, logs.

`HL_CACHE_DIR` moves all of it, which tests and shared machines use; otherwise the platform's
own cache folder is taken (platformdirs).
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_dir() -> Path:
    """Folder for everything that can be rebuilt or downloaded again; it may not exist yet."""
    override = os.environ.get("HL_CACHE_DIR")
    if override:
        return Path(override).expanduser()
    return Path(platformdirs.user_cache_dir("hl", appauthor=False))


def features_dir() -> Path:
    """Folder of the feature cache."""
    return cache_dir() / "features"


def scores_dir() -> Path:
    """Folder of stored scores documents, so that `hl export` needs no decoding."""
    return cache_dir() / "scores"


def models_dir() -> Path:
    """Folder of downloaded weights."""
    return cache_dir() / "models"
