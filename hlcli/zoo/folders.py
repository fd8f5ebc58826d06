"""The folders that manifests lie in: one of the program, one of the user's own models."""

from __future__ import annotations

from pathlib import Path

from hlcli.errors import CheckpointError
from hlcli.paths import own_models_dir
from hlcli.zoo.manifest_values import is_model_name


def zoo_dir(package: Path | None = None) -> Path:
    """Folder of the bundled manifests: `hlcli/_model_zoo` in a wheel, else the checkout's.

    Args:
        package: Folder of the installed `hlcli` package; ours when left out.

    Raises:
        CheckpointError: There is neither; the installation is broken.
    """
    package = package or Path(__file__).resolve().parents[1]
    # An editable install has no `_model_zoo`: the wheel's force-include does not apply there.
    for folder in (package / "_model_zoo", package.parent / "model_zoo"):
        if folder.is_dir():
            return folder
    raise CheckpointError(
        f"no model zoo beside {package}",
        hint="install again: `pip install --force-reinstall hlcli`",
    )


def own_folder(name: str) -> Path:
    """Folder of one of the user's models, which holds everything about it; need not exist."""
    return own_models_dir() / name


def own_manifest_path(name: str) -> Path:
    """Where the manifest of one of the user's models is, if there is such a model."""
    return own_folder(name) / f"{name}.toml"


def own_names() -> list[str]:
    """Return the names of the user's models, without reading any, sorted.

    Folders that are being made or removed begin with a dot, which no model's name does.
    """
    names = (path.parent.name for path in own_models_dir().glob("*/*.toml"))
    return sorted(
        name for name in set(names) if is_model_name(name) and own_manifest_path(name).is_file()
    )
