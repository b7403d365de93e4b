"""What `segue watchdog` needs to know, in one sentence each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ari_app.cli import watchdog
from ari_app.errors import SettingsError, Unavailable

NOBODY = 1  # a port on which nobody listens


def settings(folder: Path, ami: str = "", more: str = "") -> Path:
    secret = folder / "ami.secret"
    secret.write_text("secret")
    secret.chmod(0o600)
    file = folder / "segue.toml"
    default = f'port = {NOBODY}\nsecret_file = "{secret}"'
    file.write_text(f"[ami]\n{ami or default}\n{more}")
    return file


@pytest.mark.parametrize(
    ("ami", "more", "sentence"),
    [
        ("port = 0", "", r"set \[ami\] port"),
        ("port = 5038", "", "the AMI secret is not set"),
        ("", "[agi]\nport = 0", r"set \[agi\] port"),
        ("", '[watchdog]\napplication = "segue.example"', "application"),
        ("", '[watchdog]\napplication = "segue.example:99999"', "no port"),
        ("", '[watchdog]\ncontext = "app down"', "context"),
        ("", "[watchdog]\ngrace = 0.1", "grace"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, ami: str, more: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        watchdog.run(settings(tmp_path, ami, more), None, once=True, as_json=False)


def test_one_look_where_nobody_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = settings(tmp_path, more=f"[agi]\nport = {NOBODY}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watchdog, "_PATIENCE", 0.05)
        assert watchdog.run(file, None, once=True, as_json=True) == 1
        assert json.loads(capsys.readouterr().out) == {
            "application": "gone",
            "ami": False,
            "asterisk": None,
            "alone": None,
        }
        assert watchdog.run(file, None, once=True, as_json=False) == 1
        assert capsys.readouterr().out == "application gone; no AMI\n"


def test_there_is_one_watchdog_for_an_application(tmp_path: Path) -> None:
    from ari_app.config import load

    ours = load(settings(tmp_path, more=f'[pbx]\napp = "{tmp_path.name}"'))
    other = ours.model_copy(update={"pbx": ours.pbx.model_copy(update={"app": "other"})})
    with (
        watchdog._alone(ours),
        watchdog._alone(other),
        pytest.raises(Unavailable, match="another watchdog"),
    ):
        watchdog._alone(ours)
    watchdog._alone(ours).close()  # given back
