"""A model is installed whole or not at all, and nothing leaves its folder."""

import shutil
import zipfile
from pathlib import Path

import pytest

from ari_app.errors import ModelUnavailable
from ari_app.speech import installing
from ari_app.speech.installing import install
from ari_app.speech.model import ModelFacts, load_model_facts, mini_model_path

NAME = "vosk-model-small-xx"


def loads(_facts: ModelFacts) -> None:
    """A trial that every model passes."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model as its makers give it away: without our checksums."""
    folder = Path(shutil.copytree(mini_model_path(), tmp_path / NAME))
    (folder / "SHA256SUMS").unlink()
    return folder


@pytest.fixture
def archive(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.make_archive(str(tmp_path / NAME), "zip", tmp_path, NAME))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def refused(source: Path, models: Path, words: str, *, replace: bool = False) -> None:
    """Nothing is installed, and the sentence says why."""
    before = sorted(models.rglob("*")) if models.exists() else []
    with pytest.raises(ModelUnavailable, match=words):
        install(source, models, loads, replace=replace)
    assert (sorted(models.rglob("*")) if models.exists() else []) == before


def test_a_folder_is_copied_and_gets_its_checksums(folder: Path, models: Path) -> None:
    facts = install(folder, models, loads, replace=False)
    assert facts.path == models / NAME
    assert facts.has_sums
    assert not (folder / "SHA256SUMS").exists()
    assert [path.name for path in models.iterdir()] == [NAME]


def test_a_zip_file_is_unpacked_without_its_own_top_folder(archive: Path, models: Path) -> None:
    facts = install(archive, models, loads, replace=False)
    assert facts.path == models / NAME
    assert (models / NAME / "am/final.mdl").exists()
    assert facts.words == load_model_facts(mini_model_path()).words


def test_a_folder_around_the_model_is_no_hindrance(folder: Path, models: Path) -> None:
    outer = folder.parent / "outer"
    outer.mkdir()
    folder.rename(outer / NAME)
    assert install(outer, models, loads, replace=False).path == models / "outer"


def test_what_lies_beside_the_model_in_the_zip_is_left_out(archive: Path, models: Path) -> None:
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr("__MACOSX/._x", b"")
    install(archive, models, loads, replace=False)
    assert not list(models.rglob("*MACOSX*"))


def test_checksums_that_a_model_brings_are_compared(folder: Path, models: Path) -> None:
    shutil.copy(mini_model_path() / "SHA256SUMS", folder)
    with (folder / "graph/words.txt").open("a") as file:
        file.write("more 9999\n")
    refused(folder, models, r"damaged graph/words.txt \(checksum\)")


def test_a_model_that_does_not_load_is_not_installed(folder: Path, models: Path) -> None:
    def fails(facts: ModelFacts) -> None:
        raise ModelUnavailable(f"Vosk does not start with the model at {facts.path}.")

    with pytest.raises(ModelUnavailable, match=f"does not start with the model at {folder}"):
        install(folder, models, fails, replace=False)
    assert not list(models.iterdir())


def test_an_address_is_refused_because_nothing_is_fetched(models: Path) -> None:
    refused(Path("https://example.org/model.zip"), models, "fetches nothing from the network")


def test_nothing_is_there(models: Path, tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", models, "no model at")


def test_a_model_that_is_there_stays_unless_it_may_be_replaced(folder: Path, models: Path) -> None:
    install(folder, models, loads, replace=False)
    (models / NAME / "mine").write_text("")
    refused(folder, models, "give --force")
    install(folder, models, loads, replace=True)
    assert not (models / NAME / "mine").exists()


def test_the_old_model_stays_when_the_new_one_is_bad(folder: Path, models: Path) -> None:
    install(folder, models, loads, replace=False)
    (folder / "am/final.mdl").unlink()
    refused(folder, models, "lacks am/final.mdl", replace=True)
    assert load_model_facts(models / NAME).has_sums


def test_the_old_model_comes_back_when_the_new_one_cannot_take_its_place(
    folder: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(folder, models, loads, replace=False)
    rename = Path.replace

    def full(self: Path, target: Path) -> Path:
        if target == models / NAME and self.name == NAME:
            raise OSError("no space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", full)
    refused(folder, models, "no space left on device", replace=True)
    assert load_model_facts(models / NAME).has_sums


def test_half_a_zip_file_is_told(archive: Path, models: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:100_000])
    refused(archive, models, "only half of one")


def test_a_zip_file_with_a_damaged_file_is_told(archive: Path, models: Path) -> None:
    octets = bytearray(archive.read_bytes())
    octets[200_000] ^= 1
    archive.write_bytes(octets)
    refused(archive, models, "no zip file, or only half of one")


def test_half_a_model_in_a_whole_zip_is_told(folder: Path, models: Path, tmp_path: Path) -> None:
    (folder / "graph/Gr.fst").unlink()
    archive = Path(shutil.make_archive(str(tmp_path / "half"), "zip", tmp_path, NAME))
    refused(archive, models, "lacks graph/Gr.fst")


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:/evil"])
def test_a_zip_that_wants_out_of_its_folder_is_refused(
    archive: Path, models: Path, name: str
) -> None:
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr(name, b"x")
    refused(archive, models, "outside its folder")
    assert not list(models.parent.rglob("*evil*"))


def test_a_zip_with_a_link_is_refused(archive: Path, models: Path) -> None:
    link = zipfile.ZipInfo(f"{NAME}/README.link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr(link, "/etc/passwd")
    refused(archive, models, "has a link in it")


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [("_MOST_FILES", 3, "no model: it has"), ("_MOST_OCTETS", 1000, "no model: it has")],
)
def test_what_is_too_much_for_a_model_is_not_unpacked(
    archive: Path,
    folder: Path,
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
    words: str,
) -> None:
    monkeypatch.setattr(installing, limit, value)
    refused(archive, models, words)
    refused(folder, models, words)


def test_a_disk_that_is_too_small_is_told_before(
    archive: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installing, "_SPARE_OCTETS", 1 << 62)
    refused(archive, models, "make room, or give another --into")


def test_a_file_where_the_models_go_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelUnavailable, match="cannot be put into"):
        install(folder, tmp_path / "file", loads, replace=False)
