"""Reads manifests, one a model: bundled, the user's own, and those added to the cache."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from hlcli import toml
from hlcli.atomic import write_text
from hlcli.errors import CheckpointError, UnknownModelError
from hlcli.paths import models_dir, own_models_dir
from hlcli.zoo.chosen import chosen_name
from hlcli.zoo.folders import own_manifest_path, own_names
from hlcli.zoo.folders import zoo_dir as zoo_dir
from hlcli.zoo.manifest_values import (
    FeatureTable,
    check_encoder,
    check_features,
    check_origin,
    check_parent,
    check_relative,
    check_scores,
    check_sha256,
    check_table,
    is_model_name,
    with_floats,
)

DetectorKind: TypeAlias = Literal["rarity", "rasl", "subspace"]
"""Kinds of detectors, as manifests, recipes and model files name them."""
Kind: TypeAlias = DetectorKind | Literal["encoder", "faces"]

KINDS: tuple[Kind, ...] = ("rarity", "rasl", "subspace", "encoder", "faces")

SPEECH_DETECTOR = "silero-vad"
"""The model that finds speech; every video is looked at with it, whatever the detector."""

_OTHERS = {"encoder": "an encoder", "faces": "a finder of faces"}
_TEXTS = ("name", "version", "description", "sha256", "licence", "source", "training_data")
_REQUIRED = (*_TEXTS, "kind", "size_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelManifest:
    """What is published about one model; a `ValueError` on construction names the bad key."""

    name: str
    """What the user types: lowercase letters, digits and dashes."""
    kind: Kind
    """"encoder" makes the features that detectors read, "faces" finds faces; the others are
    detectors."""
    version: str
    """Version of these weights, such as "1"; every change of the bytes gets a new one."""
    description: str
    """One sentence."""
    sha256: str
    """sha256 of the weights, 64 lowercase hex digits; of the file at `url` where that is another
    format, which `is_converted` says."""
    size_bytes: int
    """Size of the same, at least 1."""
    licence: str
    """Licence of the weights, and what is known about how it was stated."""
    source: str
    """Who made the weights, and from what."""
    training_data: str
    """What the weights were trained on."""
    file: str | None = None
    """Weights beside the manifest, relative to its folder, with /; this, `url` or `published`."""
    url: str | None = None
    """Address of the weights, or for encoders of a TorchScript archive, `.pt`, to make them of."""
    published: Mapping[str, str] | None = None
    """The `[published]` table, for `hl models convert`: `package`, `file` in it, its `sha256`."""
    encoder: FeatureTable | None = None
    """The `[encoder]` table: `family`, and what that family must be told. Encoders only."""
    feature_spec: FeatureTable | None = None
    """The `[features]` table: every field of `FeatureSpec`. Detectors only."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """What was measured, by name."""
    parent: str | None = None
    """Name of the detector this one was tuned from. Detectors only."""
    golden: str | None = None
    """Small input and the output it must give, relative to the manifest's folder."""
    hidden: bool = False
    """Left out of lists; for tests."""
    default: bool = False
    """Taken when no model is named. Exactly one bundled manifest says so."""
    folder: Path = field(default=Path(), compare=False)
    """Folder the manifest was read from; not part of the file."""

    def __post_init__(self) -> None:
        for key in _TEXTS:
            if not getattr(self, key).strip():
                raise ValueError(f"key `{key}` is empty")
        if not is_model_name(self.name):
            raise ValueError(
                f"key `name` takes lowercase letters, digits and dashes, got {self.name!r}"
            )
        if self.kind not in KINDS:
            raise ValueError(f"key `kind` is one of {', '.join(KINDS)}, got {self.kind!r}")
        check_sha256("sha256", self.sha256)
        if self.size_bytes < 1:
            raise ValueError(f"key `size_bytes` is at least 1, got {self.size_bytes}")
        check_origin(self.file, self.url, self.published)
        if self.is_converted and self.kind != "encoder":
            raise ValueError("key `url` leads to a .pt file for encoders only")
        if self.golden is not None:
            check_relative("golden", self.golden)
        if self.encoder is not None:
            check_encoder(self.encoder, kind=self.kind)
        if self.parent is not None:
            check_parent(self.parent, kind=self.kind)
        check_scores(self.scores)
        if (self.feature_spec is None) == self.is_detector:
            raise ValueError("a table [features] belongs to every detector and to nothing else")
        if self.feature_spec is not None:
            check_features(self.feature_spec)
        if self.default and (not self.is_detector or self.hidden):
            raise ValueError("key `default` is for detectors that are not hidden")

    @property
    def is_detector(self) -> bool:
        """Whether it scores."""
        return self.kind not in _OTHERS

    @property
    def called(self) -> str:
        """What it is, as words name it."""
        return _OTHERS.get(self.kind, "a detector")

    @property
    def is_bundled(self) -> bool:
        """Whether the weights came with the program: they cannot be pulled or removed."""
        return self.file is not None and self.folder == zoo_dir()

    @property
    def is_converted(self) -> bool:
        """Whether the weights are made on this machine of a TorchScript archive behind `url`.

        Their hash is then not published; identity of the model is the hash of the archive.
        """
        return self.url is not None and urlsplit(self.url).path.endswith(".pt")

    @property
    def is_own(self) -> bool:
        """Whether it lies among the models the user trained, tuned or imported."""
        return self.folder == own_manifest_path(self.name).parent


def detector_kind(manifest: ModelManifest) -> DetectorKind:
    """Return what kind of detector a model is.

    Raises:
        UnknownModelError: It is none.
    """
    if manifest.kind == "encoder" or manifest.kind == "faces":
        raise UnknownModelError(
            f"{manifest.name} is {manifest.called}, it scores nothing by itself",
            hint="run `hl models list` and name a detector",
        )
    return manifest.kind


def read_manifest(path: Path) -> ModelManifest:
    """Read one manifest strictly.

    Raises:
        CheckpointError: The file cannot be read, is not TOML, or has an unknown key, a missing key
            or a bad value. The message names the file and the key.
    """
    try:
        return parse_manifest(path.read_text(encoding="utf-8"), stem=path.stem, folder=path.parent)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"the model manifest {path} cannot be used: {error}",
            hint="model_zoo/README.md lists every key",
        ) from error


def parse_manifest(text: str, *, stem: str, folder: Path) -> ModelManifest:
    """Build a manifest from TOML text.

    Args:
        text: The TOML.
        stem: Name of the manifest's file without extension, which `name` must equal.
        folder: Folder that `file` and `golden` are relative to.

    Raises:
        ValueError: Not TOML, or a key is unknown, missing or bad. The message names it.
    """
    table = toml.loads(text)
    # The annotations are strings here: "str | None" starts with the type that TOML must give.
    types = {"str": str, "Kind": str, "int": int, "bool": bool}
    wanted = {
        "features" if item.name == "feature_spec" else item.name: types.get(
            str(item.type).split(" ")[0], dict
        )
        for item in dataclasses.fields(ModelManifest)
        if item.name != "folder"
    }
    check_table(table, wanted, required=_REQUIRED)
    if table["name"] != stem:
        raise ValueError(f"key `name` is {table['name']!r}, but the file is called {stem}.toml")
    with_floats(table)
    features = table.pop("features", None)
    return ModelManifest(feature_spec=features, folder=folder, **table)


def manifest_text(manifest: ModelManifest) -> str:
    """Return `manifest` as TOML that `parse_manifest` turns into an equal one.

    Raises:
        ValueError: A text cannot be written as TOML.
    """
    values: dict[str, Any] = {}
    for item in dataclasses.fields(manifest):
        value = getattr(manifest, item.name)
        # False is what an absent truth value means.
        if isinstance(value, str | int) and value is not False:
            values[item.name] = value
    tables = {"encoder": manifest.encoder or {}, "published": manifest.published or {}}
    tables |= {"features": manifest.feature_spec or {}, "scores": manifest.scores}
    text = toml.dumps(values | {name: table for name, table in tables.items() if table})
    if parse_manifest(text, stem=manifest.name, folder=manifest.folder) != manifest:
        raise ValueError(f"the manifest of {manifest.name} does not survive TOML: {text}")
    return text


def write_manifest(path: Path, manifest: ModelManifest) -> None:
    """Write `manifest` to `path`, so that `read_manifest(path)` gives an equal one back.

    Args:
        path: Must be called `<manifest.name>.toml`; its folder must exist.
        manifest: What to write; its `folder` is not written.

    Raises:
        ValueError: The file name is not the model's, or a text cannot be encoded as UTF-8.
        OutputError: The file cannot be written.
    """
    if path.stem != manifest.name:
        raise ValueError(f"key `name` is {manifest.name!r}, but the file is called {path.name}")
    write_text(path, manifest_text(manifest))


def list_models(
    *, include_hidden: bool = False, on_bad: Callable[[CheckpointError], None] | None = None
) -> list[ModelManifest]:
    """Return bundled manifests, the user's own, and added ones: detectors first, then by name.

    Args:
        include_hidden: Also return those that are for tests.
        on_bad: Notified of each manifest that cannot be used; the others are returned all the same.

    Raises:
        CheckpointError: A manifest is bad, or one that is not bundled takes a name twice or says
            that it is the default; not raised where `on_bad` is given.
    """
    manifests: list[ModelManifest] = []
    own = [own_manifest_path(name) for name in own_names()]
    for path in (*_manifests_in(zoo_dir()), *own, *_manifests_in(models_dir())):
        try:
            manifest = read_manifest(path)
            if not manifest.is_bundled:
                _check_added(manifest, [manifest.name for manifest in manifests])
        except CheckpointError as error:
            if on_bad is None:
                raise
            on_bad(error)
        else:
            manifests.append(manifest)
    shown = [item for item in manifests if include_hidden or not item.hidden]
    return sorted(shown, key=lambda item: (not item.is_detector, item.name))


def known_names() -> list[str]:
    """Return the names that have a manifest, without reading any, sorted."""
    folders = (zoo_dir(), models_dir())
    return sorted(
        {path.stem for folder in folders for path in folder.glob("*.toml")} | set(own_names())
    )


def find_model(name: str) -> ModelManifest:
    """Return the manifest of a model, hidden ones included: bundled, else own, else added.

    Raises:
        UnknownModelError: There is none; the message has the known names.
        CheckpointError: Its manifest is bad. Other manifests are not looked at.
    """
    if is_model_name(name):
        file = f"{name}.toml"
        for path in (zoo_dir() / file, own_manifest_path(name), models_dir() / file):
            if path.is_file():
                return read_manifest(path)
    raise _unknown("model", name, known_names())


def find_detector(name: str) -> ModelManifest:
    """Return the manifest of a model that scores, as --model names it.

    Raises:
        UnknownModelError: There is none, or it is no detector; message or hint has the names
            of the detectors.
        CheckpointError: Its manifest is bad.
    """
    try:
        manifest = find_model(name)
    except UnknownModelError:
        raise _unknown("detector", name, _detector_names()) from None
    if not manifest.is_detector:
        raise UnknownModelError(
            f"{name} is {manifest.called}, it scores nothing by itself",
            hint=f"name a detector: {', '.join(_detector_names())}",
        )
    return manifest


def _detector_names() -> list[str]:
    shown = list_models(on_bad=lambda error: None)
    return [manifest.name for manifest in shown if manifest.is_detector]


def _unknown(what: str, name: str, names: Sequence[str]) -> UnknownModelError:
    guess = difflib.get_close_matches(name.lower(), names, n=1)
    return UnknownModelError(
        f"there is no {what} {name!r}; known {what}s: {', '.join(names) or 'none'}",
        hint=f"did you mean `{guess[0]}`?" if guess else "run `hl models list` for all models",
    )


def default_model_name() -> str:
    """Return the detector that is taken when none is named: the user's choice, or the bundled one.

    A choice that cannot be followed is an error. Another model in its place would cut other
    moments, and nobody would see why.

    Raises:
        CheckpointError: The chosen model is gone or the choice cannot be read; or nothing was
            chosen and not exactly one bundled manifest has `default = true`.
    """
    chosen = chosen_name()
    if chosen is None:
        return bundled_default_name()
    if chosen not in known_names():
        raise CheckpointError(
            f"the model {chosen!r}, which was made the default, is gone from {own_models_dir()}",
            hint="`hl models default --reset` goes back to the one that comes with hl",
        )
    return chosen


def bundled_default_name() -> str:
    """Return the bundled detector that is the default where the user chose none.

    Raises:
        CheckpointError: Not exactly one bundled manifest has `default = true`.
    """
    bundled = map(read_manifest, _manifests_in(zoo_dir()))
    names = [manifest.name for manifest in bundled if manifest.default]
    if len(names) != 1:
        raise CheckpointError(
            f"{len(names)} manifests in {zoo_dir()} say `default = true`"
            + (f": {', '.join(names)}" if names else ""),
            hint="exactly one must; name a model with --model until then",
        )
    return names[0]


def _check_added(manifest: ModelManifest, taken: Sequence[str]) -> None:
    if manifest.name in taken or manifest.default:
        what = "is the default" if manifest.default else "has the name of another model"
        raise CheckpointError(
            f"the added model {manifest.folder / manifest.name}.toml {what}",
            hint="rename it or remove it; `hl models default NAME` chooses the default",
        )


def _manifests_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.toml"))
