"""What the benchmark writes is what admission reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_app.calls.admission import cap_of
from ari_app.cli.capacity_file import Capacity

MEASURED = Capacity(calls=21, cores=2, model="mini", date="2026-11-21T18:00:00+00:00", headroom=0.2)


def test_admission_leaves_the_headroom_free(tmp_path: Path) -> None:
    path = tmp_path / "capacity.json"
    MEASURED.write(path)
    assert cap_of(path.read_text(encoding="utf-8"), MEASURED.headroom) == 16


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "capacity.json"
    path.write_text("the measurement before")
    MEASURED.write(path)
    assert path.read_text(encoding="utf-8") == MEASURED.text()
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        MEASURED.write(tmp_path / "nowhere" / "capacity.json")
