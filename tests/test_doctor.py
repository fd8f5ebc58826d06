"""`hl doctor`: what it reports, and when it says that scoring cannot work."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from zoo_factory import detector, put, weights_bytes

from hlcli.cli import app
from hlcli.cli.diagnosis import masked
from hlcli.media import codecs
from hlcli.zoo import manifest as manifest_module

DATA = weights_bytes()
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *map(str.upper, PROXIES), "HL_MODEL_MIRROR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a bundled zoo with all that scoring needs, and one model more."""
    folder = tmp_path / "zoo"
    (folder / "weights").mkdir(parents=True)
    monkeypatch.setattr(manifest_module, "zoo_dir", lambda: folder)
    put(folder, detector(DATA, name="best", default=True, file="weights/best.safetensors"), DATA)
    put(folder, detector(DATA, name="other", file="weights/other.safetensors"), DATA)
    for name in ("efficientnet-lite0", "yamnet", "silero-vad"):
        file = f"weights/{name}.safetensors"
        put(folder, detector(DATA, name=name, kind="encoder", feature_spec=None, file=file), DATA)
    return folder


def report() -> tuple[int, dict[str, dict[str, str]]]:
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.stderr == ""
    content = json.loads(result.stdout)
    assert content["can_score"] == (result.exit_code == 0)
    return result.exit_code, {item["subject"]: item for item in content["findings"]}


def test_healthy_machine() -> None:
    code, found = report()
    assert code == 0
    assert {name: item for name, item in found.items() if item["status"] == "problem"} == {}
    expected = ["hl", "Python", "torch", "av", "numpy", "opentimelineio", "platform", "CPUs"]
    expected += ["memory", "device cpu", "FFmpeg libraries", "decoders", "ffmpeg program"]
    expected += ["cache folder", "free disk", "default model", "plugin blender", "HL_CACHE_DIR"]
    assert set(expected) <= set(found)
    assert found["default model"]["detail"] == "best"
    assert found["model yamnet"]["detail"] == f"bundled, verified, {len(DATA)} B"
    # What is not there is not called "ok".
    assert found["plugin blender"] == {
        "subject": "plugin blender", "status": "none", "detail": "not installed", "hint": "",
    }  # fmt: skip
    assert found["own models"]["status"] == "none"
    for name in ("device cuda", "device mps"):
        if name in found:
            assert found[name]["status"] == ("ok" if found[name]["detail"] == "present" else "none")
    assert "libavcodec " in found["FFmpeg libraries"]["detail"]


def test_text_says_the_same_on_stdout() -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert "ok       default model: best" in lines
    assert lines[-1] == "scoring works here as far as can be seen"
    assert any(line.startswith("none     plugin ") for line in lines)


@pytest.mark.parametrize("columns", [60, 100])
def test_text_fits_a_narrow_window(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = CliRunner().invoke(app, ["doctor"]).stdout.splitlines()
    assert all(len(line) <= columns or " " not in line[9:].strip() for line in lines)
    assert any(line.startswith("         ") for line in lines)
    # Piped without COLUMNS each finding stays one line, for grep.
    monkeypatch.delenv("COLUMNS")
    lines = CliRunner().invoke(app, ["doctor"]).stdout.splitlines()
    assert any(line.startswith("ok       FFmpeg libraries: ") and len(line) > 120 for line in lines)


def test_damaged_default_model_is_a_problem(zoo: Path) -> None:
    (zoo / "weights" / "best.safetensors").write_bytes(weights_bytes(9))
    code, found = report()
    assert code == 1
    assert found["model best"]["status"] == "problem"
    assert "expected sha256" in found["model best"]["detail"]
    assert found["model best"]["hint"].startswith("run `git checkout")
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "1 problem: scoring cannot work"


@pytest.mark.parametrize("name", ["best", "yamnet", "efficientnet-lite0", "silero-vad"])
def test_what_scoring_needs_must_be_there(name: str, zoo: Path) -> None:
    (zoo / "weights" / f"{name}.safetensors").unlink()
    code, found = report()
    assert code == 1
    assert [item["subject"] for item in found.values() if item["status"] == "problem"] == [
        f"model {name}"
    ]


def test_speech_without_a_manifest_is_a_problem(zoo: Path) -> None:
    (zoo / "silero-vad.toml").unlink()
    code, found = report()
    assert (code, found["model silero-vad"]["status"]) == (1, "problem")


def test_another_models_damage_is_a_warning(zoo: Path) -> None:
    (zoo / "weights" / "other.safetensors").write_bytes(b"")
    code, found = report()
    assert code == 0
    assert found["model other"]["status"] == "warning"


def test_model_that_is_not_downloaded_is_no_trouble(zoo: Path) -> None:
    put(zoo, detector(DATA, name="far", file=None, url="https://weights.example/a.safetensors"))
    code, found = report()
    assert code == 0
    assert found["model far"]["detail"] == "not downloaded"
    assert found["model far"]["status"] == "none"


def test_broken_manifest(zoo: Path) -> None:
    (zoo / "other.toml").write_text("oops")
    code, found = report()
    # Which model is the default cannot be told while a bundled manifest is broken.
    assert code == 1
    assert "other.toml" in found["default model"]["detail"]
    assert found["model other"]["status"] == "warning"


def test_no_default_model_is_a_problem(zoo: Path) -> None:
    (zoo / "best.toml").unlink()
    code, found = report()
    assert code == 1
    assert found["default model"]["status"] == "problem"
    assert found["default model"]["detail"].startswith("0 manifests in ")


def test_torch_that_does_not_load_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    code, found = report()
    assert code == 1
    assert found["devices"]["status"] == "problem"
    assert "torch" in found["devices"]["detail"]
    assert found["default model"]["status"] == "ok"


def test_unusable_cache_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HL_CACHE_DIR", str(tmp_path / "file" / "cache"))
    code, found = report()
    assert code == 0
    assert found["cache folder"]["status"] == "warning"
    assert "--no-cache" in found["cache folder"]["hint"]


def test_cache_size_is_that_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache \u00e9"
    (cache / "features").mkdir(parents=True)
    (cache / "features" / "a").write_bytes(bytes(2048))
    (cache / "b").write_bytes(bytes(1024))
    monkeypatch.setenv("HL_CACHE_DIR", str(cache))
    assert report()[1]["cache folder"]["detail"] == f"{cache}, 3.0 KiB"


def test_missing_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(codecs.DECODERS, "prores", ("no-such-decoder",))
    code, found = report()
    assert (code, found["decoders"]["status"]) == (0, "warning")
    assert "h264 ok, hevc ok, prores missing, av1 ok" in found["decoders"]["detail"]
    monkeypatch.setitem(codecs.DECODERS, "h264", ("no-such-decoder",))
    code, found = report()
    assert (code, found["decoders"]["status"]) == (1, "problem")


def test_decoders_of_the_installed_wheel() -> None:
    names = ["h264", "hevc", "prores", "av1", "vp9", "mpeg2video", "mjpeg"]
    assert codecs.decoders_present() == dict.fromkeys(names, True)


def test_settings_are_shown_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:s3cr@t/word@proxy.example:3128")
    monkeypatch.setenv("HL_MODEL_MIRROR", "https://bob:s3cret@mirror.example/hl")
    monkeypatch.setenv("HL_OFFLINE", "1")
    code, found = report()
    assert code == 0
    assert found["HTTPS_PROXY"]["detail"] == "http://***@proxy.example:3128"
    assert found["HL_MODEL_MIRROR"]["detail"] == "https://***@mirror.example/hl"
    assert found["downloads"]["status"] == "warning"
    assert "s3cr" not in json.dumps(found)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("HTTP_PROXY", "ann:word@proxy:80", "***@proxy:80"),
        ("HTTP_PROXY", "http://proxy:80", "http://proxy:80"),
        ("no_proxy", "localhost,.example", "localhost,.example"),
        ("HL_API_TOKEN", "abc", "***"),
        ("HL_CACHE_DIR", "bad \udcff byte", "bad ? byte"),
    ],
)
def test_masking(name: str, value: str, shown: Any) -> None:
    assert masked(name, value) == shown
