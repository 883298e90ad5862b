"""Totals are written whole, read with care, and nobody else may see them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agegender_vision import totals
from agegender_vision.census import AgeBands, Census
from agegender_vision.privacy import Home, Public

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
BANDS = AgeBands.preset()
CAMERAS = {"a": "Hall", "b": "Garden"}


def nobody() -> dict[str, Census]:
    return {camera: Home().start(BANDS, NOW) for camera in CAMERAS}


def load(path: Path) -> tuple[dict[str, Census], totals.Damage | None]:
    return totals.load(path, CAMERAS, Home(), BANDS, NOW)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "state" / "totals"
    totals.save(path, nobody())
    assert load(path) == (nobody(), None)
    assert [file.name for file in path.parent.iterdir()] == ["totals"]


def test_nobody_else_may_read_them(tmp_path: Path) -> None:
    totals.save(tmp_path / "totals", nobody())
    assert (tmp_path / "totals").stat().st_mode & 0o077 == 0


def test_without_a_file_nobody_was_counted(tmp_path: Path) -> None:
    assert load(tmp_path / "totals") == (nobody(), None)


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "totals"
    totals.save(path, nobody())
    before = path.read_bytes()
    (tmp_path / "totals.new").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        totals.save(path, nobody())
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"7", b"\xff", b'{"a": {}', b"[" * 100_000, b'{"a": NaN}']
)
def test_a_damaged_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "totals"
    path.write_bytes(content)
    censuses, damage = load(path)
    assert censuses == nobody()
    assert damage is not None
    assert damage.aside.read_bytes() == content
    assert not path.exists()


def test_what_is_sound_of_a_damaged_file_is_used(tmp_path: Path) -> None:
    path = tmp_path / "totals"
    totals.save(path, nobody())
    content: dict[str, Any] = json.loads(path.read_bytes())
    people = {"people": 3, "by_band": {}, "by_gender": {}}
    content["a"]["window"]["counts"] = people  # the parts do not add up
    counts = content["b"]["window"]["counts"]
    counts["people"] = counts["by_band"]["unknown"] = counts["by_gender"]["unknown"] = 2
    path.write_text(json.dumps(content))
    censuses, damage = load(path)
    assert censuses["a"] == nobody()["a"]
    assert censuses["b"].today.people == 2
    assert damage is not None
    assert "Hall" in damage.reason
    assert "Garden" not in damage.reason


def test_another_mode_starts_afresh(tmp_path: Path) -> None:
    path = tmp_path / "totals"
    totals.save(path, nobody())
    mode = Public()
    censuses, damage = totals.load(path, CAMERAS, mode, BANDS, NOW)
    assert censuses == {camera: mode.start(BANDS, NOW) for camera in CAMERAS}
    assert damage is None


def test_removing_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "totals"
    path.write_bytes(b"damaged")
    load(path)
    totals.save(path, nobody())
    totals.remove(path)
    assert list(tmp_path.iterdir()) == []
