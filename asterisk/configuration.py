"""The folder in which a private Asterisk lives: its configuration, sounds and secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

#: The templates of the configuration files, placeholders as `${name}`.
TEMPLATES = Path(__file__).resolve().parent / "etc"

#: The dialplan files, as an admin includes them; beside this package, also in the wheel.
DIALPLAN = Path(__file__).resolve().parent.parent / "dialplan"

# Asterisk complains about these when they are missing, and is content when they are empty.
_EMPTY = ("acl", "ccss", "cel", "features", "pjproject", "stasis", "udptl", "websocket_client")
_FOLDERS = ("etc", "run", "log", "db", "cache", "var", "data/sounds", "music")
# Lines that Asterisk 16 does not understand, and what it has instead.
_NEWER = {
    "modules.conf": (("require = res_websocket_client.so\n", ""),),
    "pjsip.conf": (("auth_type = digest\n", "auth_type = userpass\n"),),
    "ari.conf": (("deny = 0.0.0.0/0.0.0.0\n", ""), ("permit = 127.0.0.1/255.255.255.255\n", "")),
}
_SPOOL = ("recording", "monitor", "outgoing", "tmp")


def write_home(home: Path, root: Path, values: Mapping[str, object]) -> None:
    """Make the folder complete; writing it again over an old one is safe.

    KeyError names a placeholder that has no value.
    """
    for folder in (*_FOLDERS, *(f"spool/{name}" for name in _SPOOL)):
        (home / folder).mkdir(parents=True, exist_ok=True)
    share = root / "usr/share/asterisk"
    for name in ("documentation", "rest-api"):  # modules and ARI do not load without
        _link(home / "data" / name, share / name)
    # The package's own `en` is a link that only an installed package makes right.
    sounds = next(path for path in sorted(share.glob("sounds/en*")) if path.is_dir())
    _link(home / "data/sounds/en", sounds)
    _link(home / "music/patience.wav", sounds / "queue-thankyou.wav")
    # As on a production machine: the dialplan is /etc/asterisk/segue there.
    _link(home / "etc/segue", DIALPLAN)

    modules = modules_of(root)
    files = render({**values, "home": home, "modules": modules})
    if not (modules / "res_websocket_client.so").exists():
        for name, lines in _NEWER.items():
            for line, instead in lines:
                files[name] = files[name].replace(line, instead)
    for name, text in files.items():
        _write_secret(home / "etc" / name, text)
    for name in _EMPTY:
        _write_secret(home / "etc" / f"{name}.conf", "")


def render(values: Mapping[str, object]) -> dict[str, str]:
    """Every configuration file by name, with no placeholder left."""
    return {
        template.name: Template(template.read_text()).substitute(values)
        for template in sorted(TEMPLATES.glob("*.conf"))
    }


def modules_of(root: Path) -> Path:
    """Where the modules of an unpacked Asterisk are."""
    return next(root.glob("usr/lib/*-linux-gnu/asterisk/modules"))


def command_of(root: Path) -> list[str]:
    """The command line that runs it with its own libraries: the machine's are not touched."""
    libraries = modules_of(root).parent.parent
    loader = next(libraries.glob("ld-linux*.so.*"))
    binary = root / "usr/sbin/asterisk"
    # A loader that is named by its version is of before 2.34, and may not know --argv0.
    name = [] if loader.resolve().name.startswith("ld-2.") else ["--argv0", "asterisk"]
    return [str(loader), "--library-path", str(libraries), *name, str(binary)]


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
