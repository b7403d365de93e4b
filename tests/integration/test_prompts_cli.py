"""`segue prompts` and `segue config check`, as an operator runs them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ari_app.cli import app
from ari_app.errors import BundleError, SettingsError
from ari_app.media.g711 import ulaw_encode
from ari_app.speech.prompts.wav import read_wav, write_wav
from tests.support.voices import DECODERS

_SHORT = Path(__file__).parents[1] / "fixtures" / "short.yaml"
_TONE = np.round(9000 * np.sin(np.arange(8000) / 4)).astype(np.int16)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Settings of a site with one recording that is good."""
    (tmp_path / "recorded" / "en").mkdir(parents=True)
    (tmp_path / "recorded" / "en" / "what.2.wav").write_bytes(write_wav(_TONE))
    config = tmp_path / "segue.toml"
    config.write_text(
        f'[store]\npath = "{tmp_path / "segue.db"}"\n[policy]\nbundle = "{_SHORT}"\n'
        f'[voice]\nrecordings = "{tmp_path / "recorded"}"\n'
    )
    return config


def segue(*arguments: str, site: Path, status: int = 0) -> str:
    done = CliRunner().invoke(app, [*arguments, "-c", str(site)])
    ours = isinstance(done.exception, SettingsError | BundleError)  # `main` ends with 2 for these
    assert (2 if ours else done.exit_code) == status, done.output
    return str(done.exception) if ours else done.stdout


def test_the_list_names_every_wording_and_its_file(site: Path) -> None:
    rows = json.loads(segue("prompts", "list", "--json", site=site))
    found = {row["file"]: (row["recording"], row["text"]) for row in rows}
    assert found["en/what.wav"] == ("none", "How can I help?")
    assert found["en/what.2.wav"] == ("used", "Press 1 for our hours.")
    assert "en/what.2.wav" in segue("prompts", "list", site=site)


def test_prompts_are_written_to_listen_to_and_named_as_recordings_are(
    site: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (row,) = json.loads(
        segue("prompts", "render", str(out), "--prompt", "goodbye", "--json", site=site)
    )
    assert row == {"file": str(out / "en/goodbye.wav"), "source": "espeak-ng", "text": "Goodbye."}
    usual = read_wav((out / "en/goodbye.wav").read_bytes(), DECODERS)
    assert 0.2 < usual.size / 8000 < 3
    segue("prompts", "render", str(out), "--text", "Goodbye.", "--slower", "--louder", site=site)
    slower = read_wav((out / "en/text.wav").read_bytes(), DECODERS)
    assert slower.size > 1.1 * usual.size
    assert np.abs(slower).mean() > 1.3 * np.abs(usual).mean()


def test_an_unknown_prompt_is_said_so(site: Path, tmp_path: Path) -> None:
    said = segue("prompts", "render", str(tmp_path), "--prompt", "wat", site=site, status=2)
    assert "no prompt 'wat'" in said


def test_all_is_well_is_status_0(site: Path) -> None:
    found = json.loads(segue("prompts", "verify", "--json", site=site))
    assert found["sources"]["recording"] == 1
    assert found["sources"]["espeak-ng"] > 10
    assert found["findings"] == []


def test_a_damaged_and_a_mistyped_recording_are_found(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "recorded" / "en"
    (folder / "goodbye.wav").write_bytes(ulaw_encode(_TONE))
    (folder / "goodby.wav").write_bytes(write_wav(_TONE))
    said = segue("prompts", "verify", site=site, status=1)
    assert "wrong: en/goodbye.wav is not used: it is no WAV file" in said
    assert "wrong: en/goodby.wav is not used: no prompt is called so" in said
    checked = segue("config", "check", site=site)
    assert "warning: en/goodbye.wav is not used" in checked
    assert "2 recorded" in checked


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ('recordings = "/nowhere"', "[voice] recordings: there is no folder /nowhere"),
        ('lexicon = "/nowhere.toml"', "[voice] lexicon: /nowhere.toml cannot be used"),
        ('piper_models = { en = "/no.onnx" }', "[voice] piper_models.en: there is no model"),
    ],
)
def test_a_setting_that_leads_nowhere_is_found(site: Path, settings: str, sentence: str) -> None:
    head, _, _ = site.read_text().partition("[voice]")
    site.write_text(f"{head}[voice]\n{settings}\n")
    assert sentence in segue("config", "check", site=site, status=2)


def test_a_bundle_in_a_language_that_nobody_understands_is_refused(
    site: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "klingon.yaml"
    bundle.write_text(_SHORT.read_text().replace("language: en", "language: tlh"))
    site.write_text(site.read_text().replace(str(_SHORT), str(bundle)))
    said = segue("config", "check", site=site, status=2)
    assert "the language 'tlh' is not understood; known are en, es" in said
