"""Where `hl` keeps its files: feature cache, downloaded models, the user's own models.

`HL_CACHE_DIR` moves all of it, which tests and shared machines use; otherwise the platform's
own folders are taken (platformdirs): the cache for what can be made again, the data folder for
what cannot.
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


def bundles_dir() -> Path:
    """Folder of the media taken out of bundles (`.otioz`)."""
    return cache_dir() / "bundles"


def written_dir() -> Path:
    """Folder that remembers what `hl` wrote, one empty file for each content."""
    return cache_dir() / "written"


def models_dir() -> Path:
    """Folder of downloaded weights."""
    return cache_dir() / "models"


def own_models_dir() -> Path:
    """Folder of the models the user trained or tuned; it may not exist yet.

    `HL_MODELS_DIR`, or `own-models` in `HL_CACHE_DIR` when only that is set, or else the
    platform's data folder: nothing that empties caches touches it.
    """
    override = os.environ.get("HL_MODELS_DIR")
    if override:
        return Path(override).expanduser()
    if os.environ.get("HL_CACHE_DIR"):
        return cache_dir() / "own-models"
    return Path(platformdirs.user_data_dir("hl", appauthor=False)) / "models"


def plugin_receipts_dir() -> Path:
    """Folder of what `hl plugins` must remember: what it installed where; it may not exist yet.

    `plugins` in `HL_CACHE_DIR` when that is set, or else in the platform's data folder: without
    it, files that replaced others could not be taken back.
    """
    if os.environ.get("HL_CACHE_DIR"):
        return cache_dir() / "plugins"
    return Path(platformdirs.user_data_dir("hl", appauthor=False)) / "plugins"


def serve_dir() -> Path:
    """Folder of `hl serve`: token, jobs and their results; it may not exist yet.

    `serve` in `HL_CACHE_DIR` when that is set, or else in the platform's data folder.
    """
    if os.environ.get("HL_CACHE_DIR"):
        return cache_dir() / "serve"
    return Path(platformdirs.user_data_dir("hl", appauthor=False)) / "serve"


def reviews_dir() -> Path:
    """Folder of the reviews that `hl review` keeps; it may not exist yet.

    `reviews` in `HL_CACHE_DIR` when that is set, or else in the platform's data folder.
    """
    if os.environ.get("HL_CACHE_DIR"):
        return cache_dir() / "reviews"
    return Path(platformdirs.user_data_dir("hl", appauthor=False)) / "reviews"


def proxies_dir() -> Path:
    """Folder of the small copies that a browser plays where it cannot play the video itself."""
    return cache_dir() / "proxies"
