"""Each target holds on its seeds and some inputs; a target that does not is caught and told."""

import struct
from pathlib import Path

import pytest

from tests.fuzz import run, seeds
from tests.fuzz.mutation import smallest


@pytest.mark.parametrize("name", run.TARGETS)
def test_the_invariant_holds_on_the_seeds_and_200_examples(name: str) -> None:
    watched = run.Watched(run.target(name))
    run.by_hypothesis(watched, 0.0, batch=200, each=2)
    assert watched.count >= len(seeds.frames()) + 200


def test_every_target_says_its_invariant_in_its_head() -> None:
    for name in run.TARGETS:
        path = Path(run.__file__).parent / f"{name}.py"
        assert "\nInvariant: " in path.read_text(encoding="utf-8").split('"""')[1]


def test_a_target_that_breaks_is_told_and_its_smallest_input_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "FOUND", tmp_path)

    def one(data: bytes) -> None:
        if b"33123456789" in data:
            struct.unpack(">I", b"")

    assert not run.fuzz("smpp_codec", one, 1.0)
    (saved,) = tmp_path.iterdir()
    assert saved.read_bytes() == b"33123456789"
    assert "BROKEN" in capsys.readouterr().out
    assert "BROKEN" not in saved.name


def test_a_saved_input_is_fed_once_more(tmp_path: Path) -> None:
    saved = tmp_path / "smpp_codec-0123"
    saved.write_bytes(seeds.octets("deliver_sm_receipt"))
    assert run.main(["--again", str(saved)]) == 0


def test_an_input_that_hangs_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_SLOWEST", 0.05)
    with run.alarm():

        def one(data: bytes) -> None:
            while True:
                pass

        watched = run.Watched(one)
        with pytest.raises(run.Hung):
            watched(b"x")
    assert watched.broken == b"x"


def test_the_smallest_input_is_what_cannot_be_left_out() -> None:
    assert smallest(lambda data: b"a" in data and b"z" in data, b"xxaxxyyzxx") == b"az"


def test_a_target_that_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["smpp_nothing"])
    assert "smpp_nothing" in capsys.readouterr().err
