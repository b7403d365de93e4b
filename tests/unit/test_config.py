"""Every setting is known, checked and documented; a wrong one says what was meant."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from ari_app.config import Section, Settings, as_table, load, read_secret
from ari_app.errors import SettingsError

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("SEGUE_"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "segue.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path: Path) -> str:
    with pytest.raises(SettingsError) as refused:
        load(path)
    return str(refused.value)


# -- reading ----------------------------------------------------------------------------------


def test_an_empty_file_is_all_defaults(write: Write) -> None:
    assert load(write("")) == Settings()
    assert load(write("")).calls.most == 50


def test_what_the_file_says_counts(write: Write) -> None:
    settings = load(write('[calls]\nmost = 7\n[store]\npath = "/tmp/x.db"\n'))
    assert settings.calls.most == 7
    assert settings.store.path == Path("/tmp/x.db")
    assert settings.calls.region == "US"


def test_the_environment_wins_key_by_key(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_CALLS__MOST", "9")
    settings = load(write('[calls]\nmost = 7\nregion = "FR"\n'))
    assert (settings.calls.most, settings.calls.region) == (9, "FR")


def test_the_environment_names_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_CONFIG", str(write("[calls]\nmost = 7\n")))
    assert load().calls.most == 7


def test_without_a_file_there_are_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ari_app.config.DEFAULT_PATH", tmp_path / "none.toml")
    assert load() == Settings()


def test_settings_cannot_be_changed_once_they_are_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().calls.most = 8  # type: ignore[misc]  # what is tested


# -- what can be wrong ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[calls]\nmots = 7\n", "unknown setting [calls] mots; did you mean `most`?"),
        ("[cals]\nmost = 7\n", "unknown setting [cals]; did you mean `calls`?"),
        ("[calls]\nzzz = 7\n", "[calls] zzz; known are most, capacity, headroom, per_caller"),
        ("[zzz]\nmost = 7\n", "unknown setting [zzz]; known are pbx, ami, agi"),
        ("most = 7\n", "unknown setting [most]"),
        ('[calls]\nmost = "many"\n', "[calls] most: input should be a valid integer"),
        ("[calls]\nmost = 0\n", "[calls] most: input should be greater than or equal to 1"),
        ("[agi]\nport = 70000\n", "[agi] port: input should be less than or equal to 65535"),
        ('[pbx]\ntransport = "smoke"\n', "[pbx] transport: input should be 'auto'"),
        ("calls = 7\n", "[calls]: input should be a valid dictionary"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(text: str, sentence: str, write: Write) -> None:
    path = write(text)
    said = refusal(path)
    assert said.startswith(f"{path}: ")
    assert sentence in said
    assert "\n" not in said


def test_a_password_in_the_file_is_not_repeated_in_the_complaint(write: Write) -> None:
    said = refusal(write('[sms]\npassword = "hunter2"\n'))
    assert "did you mean `password_file`?" in said
    assert "hunter2" not in said


def test_what_is_no_toml_says_where(write: Write) -> None:
    assert "segue.toml is not TOML: " in refusal(write("[calls\n"))
    path = write("")
    path.write_bytes(b"\xff\xfe")
    assert "is not TOML" in refusal(path)


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "x.toml") == f"there is no settings file {tmp_path}/x.toml"
    assert refusal(tmp_path) == f"cannot read {tmp_path}: Is a directory"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SEGUE_CALLS__MOST", "many", "SEGUE_CALLS__MOST: [calls] most: input should be a valid"),
        ("SEGUE_CALLS__MOTS", "7", "unknown setting [calls] mots; did you mean `most`?"),
        ("SEGUE_CALS__MOST", "7", "SEGUE_CALS__MOST: unknown setting [cals]; did you mean `calls`"),
        ("SEGUE_CALLS", "7", "SEGUE_CALLS is a whole section: set SEGUE_CALLS__<KEY>"),
    ],
)
def test_a_wrong_variable_is_named(
    name: str, value: str, sentence: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert sentence in refusal(write(""))


def test_variables_of_other_uses_are_none_of_its_business(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_FAILPOINT", "")
    monkeypatch.setenv("SEGUE_ASTERISK_ROOT", "/opt/asterisk")
    assert load(write("")) == Settings()


# -- secrets ----------------------------------------------------------------------------------


def secret(path: Path, text: str = "s3cret\n", mode: int = 0o600) -> Path:
    path.touch()
    path.chmod(mode)
    path.write_text(text)
    return path


def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    path = secret(tmp_path / "password")
    assert read_secret(path, "ari_password", "pbx.password_file") == "s3cret"
    assert read_secret(secret(tmp_path / "group", mode=0o640), "x", "y") == "s3cret"


def test_a_secret_comes_as_a_systemd_credential_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret(tmp_path / "ari_password", "credential")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret(None, "ari_password", "pbx.password_file") == "credential"
    assert read_secret(None, "smpp_password", "sms.password_file") is None
    named = secret(tmp_path / "named", "file")
    assert read_secret(named, "ari_password", "pbx.password_file") == "file"


def test_no_secret_is_none() -> None:
    assert read_secret(None, "ari_password", "pbx.password_file") is None


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o601, 0o777])
def test_a_secret_that_everybody_can_read_is_refused(mode: int, tmp_path: Path) -> None:
    path = secret(tmp_path / "password", mode=mode)
    with pytest.raises(SettingsError) as refused:
        read_secret(path, "ari_password", "pbx.password_file")
    said = str(refused.value)
    assert said == f"pbx.password_file: everybody can read {path}; run `chmod 600 {path}`"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda p: secret(p, " \n"), "is empty"),
        (lambda p: p.mkdir(), "cannot read"),
        (lambda p: None, "cannot read"),
        (lambda p: secret(p).write_bytes(b"\xff\xfe"), "cannot read"),
    ],
)
def test_a_secret_that_is_none_is_refused(
    make: Callable[[Path], object], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "password"
    make(path)
    with pytest.raises(SettingsError) as refused:
        read_secret(path, "ari_password", "pbx.password_file")
    assert str(refused.value).startswith("pbx.password_file: ")
    assert sentence in str(refused.value)
    assert str(path) in str(refused.value)


# -- the page of docs -------------------------------------------------------------------------


def _sections() -> dict[str, type[Section]]:
    return {name: type(f.default) for name, f in Settings.model_fields.items()}


def test_every_setting_says_what_it_is() -> None:
    for name, section in _sections().items():
        assert section.__doc__, name
        for key, field in section.model_fields.items():
            assert field.description, f"[{name}] {key}"
            assert "|" not in field.description


def test_the_table_lists_every_setting_with_its_default() -> None:
    parts = as_table().split("\n## ")
    for name, section in _sections().items():
        (part,) = [p for p in parts if p.startswith(f"[{name}]\n")]
        rows = {line.split("|")[1].strip(): line for line in part.splitlines() if "`" in line}
        for key, field in section.model_fields.items():
            assert str(field.description) in rows[f"`{key}`"]


def test_the_defaults_of_the_table_are_toml_that_loads(write: Write) -> None:
    lines = []
    for part in as_table().split("\n## ")[1:]:
        lines.append(part.splitlines()[0])
        for row in part.splitlines():
            cells = [cell.strip().strip("`") for cell in row.split("|")]
            if len(cells) > 3 and row.startswith("| `") and cells[2]:
                lines.append(f"{cells[1]} = {cells[2]}")
    text = "\n".join(lines)
    assert set(tomllib.loads(text)) == set(_sections())
    assert load(write(text)) == Settings()


def test_no_setting_holds_a_secret_itself() -> None:
    for name, section in _sections().items():
        for key in section.model_fields:
            if any(word in key for word in ("password", "secret", "key")):
                # An address with a password in it is refused: see tests/integration/test_premises.
                assert key.endswith(("_file", "_url")), f"[{name}] {key}"
