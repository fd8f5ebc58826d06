"""One Parquet file of all scores and moments, read by pyarrow itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runner import hl

from hlcli.document import ScoresDocument, read_documents
from hlcli.timeline.formats import format_of, write_format
from tests.document_factory import make_document
from tests.media_factory import make_video

parquet = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")


def test_a_row_for_each_video_with_all_its_scores_and_moments(tmp_path: Path) -> None:
    first = make_document()
    second = make_document(identity="e" * 64).with_moments(())
    path = tmp_path / "all.parquet"
    write_format(path, [first, second])
    rows = parquet.read_table(path).to_pylist()
    assert [row["sha256_head"] for row in rows] == [first.video.sha256_head, "e" * 64]
    assert rows[0]["file"] == first.video.path
    assert rows[0]["scores"] == pytest.approx(list(first.scores), abs=1e-6)
    assert rows[0]["model"] == first.model.name
    assert rows[1]["moments"] == []
    found, expected = rows[0]["moments"], first.to_json()["moments"]
    assert len(found) == len(expected) > 0
    assert [moment["rank"] for moment in found] == list(range(1, len(found) + 1))
    for one, other in zip(found, expected, strict=True):
        assert {name: one[name] for name in other if name in one} == {
            name: value for name, value in other.items() if name in one
        }
    before = path.read_bytes()
    write_format(path, [first, second])
    assert path.read_bytes() == before


def test_it_is_written_by_score_and_export(tmp_path: Path) -> None:
    video = make_video(tmp_path)
    outputs = [tmp_path / name for name in ("score.parquet", "export.parquet", "scores.json")]
    assert hl("score", video, "-o", outputs[0], "-o", outputs[2]).exit_code == 0
    assert hl("export", video, "-o", outputs[1]).exit_code == 0
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    document: ScoresDocument = read_documents(outputs[2])[0]
    (row,) = parquet.read_table(outputs[0]).to_pylist()
    assert row["scores"] == pytest.approx(list(document.scores), abs=1e-6)


def test_without_the_extra_it_is_said_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hlcli.timeline.formats.find_spec", lambda name: None)
    result = hl("score", make_video(tmp_path), "-o", tmp_path / "all.parquet")
    assert result.exit_code == 2
    assert "the extra for Parquet is not installed" in result.stderr
    assert 'pip install "hlcli[parquet]"' in result.stderr
    assert format_of(tmp_path / "all.csv").suffix == ".csv"
