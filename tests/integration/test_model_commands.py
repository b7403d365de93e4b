"""`segue model`: install, verify and bench, with real Vosk workers."""

import json
import shutil
import struct
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from ari_app.cli.model_bench import Cost, read_clip
from ari_app.errors import SettingsError
from ari_app.speech.model import mini_model_path, write_sums

NAME = "vosk-model-small-xx"


def segue(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ari_app", "model", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(mini_model_path(), tmp_path / NAME))


def clip(path: Path, samples: bytes, rate: int = 8000, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples)
    return path


def test_a_model_is_installed_from_a_zip_file_and_verified(model: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / NAME), "zip", tmp_path, NAME)
    done = segue("install", archive, "--into", tmp_path / "models", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["path"] == str(tmp_path / "models" / NAME)
    assert (told["rate"], told["takes_grammars"], told["hears_people"]) == (8000, True, False)
    checked = segue("verify", told["path"])
    assert checked.returncode == 0, checked.stderr
    assert "every file is what its checksum says" in checked.stdout


def test_a_model_that_ends_libvosk_s_process_is_refused_in_one_sentence(
    model: Path, tmp_path: Path
) -> None:
    octets = (model / "am/final.mdl").read_bytes()
    # Its head is good, so only libvosk can find out; with a fresh checksum nothing else can.
    (model / "am/final.mdl").write_bytes(octets[:2000] + bytes(len(octets) - 2000))
    write_sums(model)
    done = segue("install", model, "--into", tmp_path / "models")
    assert done.returncode == 1
    # libvosk may say something of its own before.
    assert done.stderr.splitlines()[-1].startswith(
        f"segue: Vosk does not start with the model at {model}"
    )
    assert not list((tmp_path / "models").iterdir())


def test_a_damaged_model_fails_its_verification(model: Path) -> None:
    with (model / "graph/words.txt").open("ab") as file:
        file.write(struct.pack("<i", 7))
    done = segue("verify", model, "--json")
    assert done.returncode == 1
    assert "damaged graph/words.txt" in done.stderr


def test_what_a_model_costs_is_measured_with_clips(model: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 300, 16_000).astype(np.int16).tobytes()
    done = segue("bench", model, "--clip", clip(tmp_path / "a.wav", noise, 16_000), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["speech_seconds"] == 1.0
    assert told["real_time_factor"] >= 0
    assert told["talking_per_core"] >= 1
    assert 0 < told["loaded_mb"] <= told["peak_mb"]
    assert 0 < told["final_p50_ms"] <= told["final_max_ms"]


def test_half_the_processor_is_two_callers_a_core() -> None:
    assert Cost(0, 0, 0, 0.5, 0, 0, 1).talking_per_core == 2
    assert Cost(0, 0, 0, 0.0, 0, 0, 1).talking_per_core == 10_000


def test_a_clip_is_brought_to_the_model_s_rate(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.wav", bytes(2 * 16_000), 16_000)
    assert len(read_clip(path, 8000)) == 8000
    assert len(read_clip(path, 16_000)) == 16_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"channels": 2}, "not 16-bit mono"),
        ({"width": 1}, "not 16-bit mono"),
        ({"rate": 4000}, "not 16-bit mono at 8 to 48 kHz"),
    ],
)
def test_a_clip_of_another_kind_is_refused(
    tmp_path: Path, arguments: dict[str, int], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        read_clip(clip(tmp_path / "a.wav", bytes(8000), **arguments), 8000)


def test_an_empty_clip_and_one_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="empty or longer"):
        read_clip(clip(tmp_path / "a.wav", b""), 8000)
    (tmp_path / "b.wav").write_bytes(b"RIFF....not")
    with pytest.raises(SettingsError, match="no WAV file"):
        read_clip(tmp_path / "b.wav", 8000)
    with pytest.raises(SettingsError, match="no WAV file"):
        read_clip(tmp_path / "nowhere.wav", 8000)


def test_the_commands_of_the_service_load_nothing_of_the_recipe() -> None:
    look = (
        "import sys, ari_app.cli, ari_app.cli.models, ari_app.bootstrap.service; "
        "print([m for m in sys.modules if 'recipe' in m or m in ('torch', 'kaldifst')])"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
