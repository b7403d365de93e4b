"""A model folder is checked before libvosk sees it, and what is wrong is said in one sentence."""

import hashlib
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from ari_app.errors import ModelUnavailable
from ari_app.speech.model import (
    load_model_facts,
    mini_model_path,
    why_unusable,
    write_sums,
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the mini model under another name, to damage."""
    return Path(shutil.copytree(mini_model_path(), tmp_path / "model"))


def without_sums(model: Path) -> None:
    (model / "SHA256SUMS").unlink()


def append(name: str, line: str) -> Callable[[Path], None]:
    def damage(model: Path) -> None:
        without_sums(model)
        with (model / name).open("a") as file:
            file.write(line)

    return damage


def rewrite(name: str, content: bytes) -> Callable[[Path], None]:
    def damage(model: Path) -> None:
        without_sums(model)
        (model / name).write_bytes(content)

    return damage


def flip_a_byte(model: Path) -> None:
    path = model / "am/final.mdl"
    octets = bytearray(path.read_bytes())
    octets[1_000_000] ^= 1
    path.write_bytes(octets)


def lose(name: str) -> Callable[[Path], None]:
    return lambda model: (model / name).unlink()


def escape(model: Path) -> None:
    (model / "SHA256SUMS").write_text("0" * 64 + "  ../../etc/passwd\n")


def half_a_manifest(model: Path) -> None:
    lines = (model / "SHA256SUMS").read_text().splitlines(keepends=True)
    (model / "SHA256SUMS").write_text("".join(line for line in lines if "mfcc" not in line))


def half_an_ivector(model: Path) -> None:
    (model / "ivector").mkdir()


def test_the_mini_model_is_what_its_readme_says() -> None:
    facts = load_model_facts(mini_model_path())
    assert (facts.rate, facts.dynamic, facts.is_mini) == (8000, True, True)
    assert {"yes", "no", "appointment", "seven"} <= facts.words
    assert not {"<eps>", "[unk]", "#0", "<s>"} & facts.words


def test_the_spanish_mini_model_hears_what_callers_say() -> None:
    facts = load_model_facts(mini_model_path("es"))
    assert (facts.rate, facts.dynamic, facts.is_mini) == (8000, True, True)
    assert {"sí", "no", "cita", "siete", "eñe", "despacio", "eh"} <= facts.words


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_mini_model_is_small_and_says_what_it_is(language: str) -> None:
    model = mini_model_path(language)
    assert sum(file.stat().st_size for file in model.rglob("*") if file.is_file()) < 6_000_000
    readme = " ".join((model / "README").read_text().split())
    assert "voices only, not people" in readme
    assert "f4 m4 linda Michael Andy belinda steph3 victor ed klatt3 robert miguel" in readme


def test_the_page_of_figures_is_about_the_models_that_ship() -> None:
    page = (Path(__file__).parents[3] / "docs/models.md").read_text()
    for language in ("en", "es"):
        network = (mini_model_path(language) / "am/final.mdl").read_bytes()
        assert hashlib.sha256(network).hexdigest()[:16] in page, "run `make model-table`"


def test_the_mini_model_is_known_under_another_name(model: Path) -> None:
    assert load_model_facts(model).is_mini


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_file_of_a_mini_model_that_libvosk_reads_has_a_checksum(language: str) -> None:
    model = mini_model_path(language)
    sums = (model / "SHA256SUMS").read_text()
    listed = {line.split()[1].lstrip("*").removeprefix("./") for line in sums.splitlines()}
    there = {
        path.relative_to(model).as_posix()
        for path in model.rglob("*")
        if path.is_file() and path.name not in ("README", "SHA256SUMS")
    }
    assert listed - {"README"} == there


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lose("am/final.mdl"), "lacks am/final.mdl"),
        (lose("graph/HCLr.fst"), "lacks graph/HCLG.fst"),
        (lose("graph/Gr.fst"), "lacks graph/Gr.fst"),
        (lose("conf/model.conf"), "lacks conf/model.conf"),
        (lose("graph/phones.txt"), "lacks graph/phones.txt"),
        (rewrite("conf/model.conf", b""), "empty conf/model.conf"),
        (rewrite("graph/Gr.fst", b"not an fst"), "damaged graph/Gr.fst"),
        (rewrite("am/final.mdl", b"PK\x03\x04"), "damaged am/final.mdl"),
        (rewrite("graph/words.txt", b"<eps> 0\n"), "knows no words"),
        (rewrite("graph/words.txt", b"\xff\xfe"), "cannot be read"),
        (append("conf/mfcc.conf", "--num-ce ps\n"), "damaged conf/mfcc.conf"),
        (append("conf/mfcc.conf", "--sample-frequency=44100\n"), "44100 Hz"),
        (append("conf/mfcc.conf", "--sample-frequency=0\n"), "audio at 0 Hz"),
        (append("conf/mfcc.conf", "--sample-frequency=often\n"), "audio at often Hz"),
        (flip_a_byte, r"damaged am/final.mdl \(checksum\)"),
        (escape, "damaged SHA256SUMS"),
        (half_a_manifest, "no checksum of conf/mfcc.conf in SHA256SUMS"),
        (rewrite("SHA256SUMS", b"x" * (1 << 21)), "too long"),
        (half_an_ivector, "lacks ivector/final.ie"),
    ],
)
def test_a_damaged_model_is_refused_with_one_sentence(
    model: Path, damage: Callable[[Path], None], words: str
) -> None:
    damage(model)
    with pytest.raises(ModelUnavailable, match=words) as refusal:
        load_model_facts(model)
    sentence = str(refusal.value)
    assert "speech.model_path" in sentence
    assert "\n" not in sentence


def test_a_path_without_a_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"no Vosk model.*segue model install.*model_path"):
        load_model_facts(tmp_path / "nowhere")


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="lacks"):
        load_model_facts(tmp_path)


def test_a_model_that_names_no_rate_is_for_16_khz_as_in_kaldi(model: Path) -> None:
    rewrite("conf/mfcc.conf", b"# features\n--num-ceps=40  # as trained\n")(model)
    assert load_model_facts(model).rate == 16000


def test_a_graph_without_words_txt_names_its_own_words(model: Path) -> None:
    """The layout of the official small models."""
    without_sums(model)
    (model / "graph/words.txt").unlink()
    (model / "graph/Gr.fst").write_bytes(fst_with_words("<eps>", "bonjour", "[unk]", "monde"))
    assert load_model_facts(model).words == {"bonjour", "monde"}


def test_a_graph_cut_inside_its_words_is_refused(model: Path) -> None:
    without_sums(model)
    (model / "graph/words.txt").unlink()
    (model / "graph/Gr.fst").write_bytes(fst_with_words("<eps>", "bonjour", "monde")[:-12])
    with pytest.raises(ModelUnavailable, match="no words in graph/Gr.fst"):
        load_model_facts(model)


def test_a_manifest_in_the_form_of_sha256sum_binary_mode_is_read(model: Path) -> None:
    (model / "SHA256SUMS").unlink()
    lines = []
    for path in sorted(model.rglob("*.*")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append(f"{digest} *{path.relative_to(model)}\n")
    (model / "SHA256SUMS").write_text("".join(lines))
    assert load_model_facts(model).has_sums


def test_a_model_without_a_manifest_is_taken_and_known_to_be_unchecked(model: Path) -> None:
    without_sums(model)
    assert not load_model_facts(model).has_sums
    assert load_model_facts(mini_model_path()).has_sums


def test_the_checksums_that_we_write_are_read_and_find_a_wrong_byte(model: Path) -> None:
    without_sums(model)
    write_sums(model)
    assert load_model_facts(model).has_sums
    write_sums(model)
    assert load_model_facts(model).has_sums
    flip_a_byte(model)
    with pytest.raises(ModelUnavailable, match=r"damaged am/final.mdl \(checksum\)"):
        load_model_facts(model)


def test_nothing_is_wrong_with_a_model_that_is_as_it_was(model: Path) -> None:
    facts = load_model_facts(model)
    assert why_unusable(facts, thoroughly=False) == why_unusable(facts, thoroughly=True) == ""


def test_a_model_that_has_gone_since_the_start_is_said_by_name(model: Path) -> None:
    facts = load_model_facts(model)
    (model / "graph/Gr.fst").unlink()
    assert "lacks graph/Gr.fst" in why_unusable(facts, thoroughly=False)
    shutil.rmtree(model)
    assert f"no Vosk model at {model}" in why_unusable(facts, thoroughly=False)


def test_a_model_that_was_damaged_since_the_start_is_found_by_a_thorough_look(model: Path) -> None:
    facts = load_model_facts(model)
    flip_a_byte(model)
    assert why_unusable(facts, thoroughly=False) == ""
    assert "damaged am/final.mdl" in why_unusable(facts, thoroughly=True)


def test_another_model_in_the_same_place_is_not_taken_for_the_first(model: Path) -> None:
    facts = load_model_facts(model)
    append("conf/mfcc.conf", "--sample-frequency=16000\n")(model)
    assert "another one" in why_unusable(facts, thoroughly=True)


def fst_with_words(*words: str) -> bytes:
    """The head of an OpenFst file with an output symbol table, as OpenFst writes it."""

    def name(text: str) -> bytes:
        return struct.pack("<i", len(text)) + text.encode()

    head = struct.pack("<i", 2125659606) + name("vector") + name("standard")
    head += struct.pack("<iiQqqq", 2, 2, 0, 0, 1, 0)
    table = struct.pack("<i", 2125658996) + name("words.txt")
    table += struct.pack("<qq", len(words), len(words))
    return head + table + b"".join(name(w) + struct.pack("<q", i) for i, w in enumerate(words))
