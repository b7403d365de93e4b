"""`segue docs`: the pages of docs/ that are made from the code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from ari_app.config import as_table
from ari_app.conversation.events import REGISTRY
from ari_app.conversation.schema import Schema, schemas
from ari_app.telemetry.metrics import METRICS
from smpp.profile_file import describe

_MADE = "Made by `make docs`; do not edit."


def pages(command: Any) -> dict[str, str]:
    """Every generated page by its file name; `command` is typer's, which exports no type."""
    return {
        "settings.md": as_table(),
        "events.md": _events(),
        "metrics.md": _metrics(),
        "carrier-profiles.md": _profiles(),
        "cli.md": "\n".join(["# Commands", "", _MADE, *_commands(command, "segue")]) + "\n",
        **{f"schemas/{title}.json": _json(schema) for title, schema in schemas().items()},
    }


def write(folder: Path, command: Any) -> None:
    """Write the pages into a folder that exists; a schema that has no class any more is kept."""
    (folder / "schemas").mkdir(exist_ok=True)
    for name, text in pages(command).items():
        (folder / name).write_text(text, encoding="utf-8")


def _events() -> str:
    lines = ["# Events", "", _MADE, "", "Fields marked * belong to a person.", ""]
    lines += ["| name | version | meaning | fields |", "|---|---|---|---|"]
    for (name, version), cls in sorted(REGISTRY.items()):
        known = ", ".join(
            f"`{f.name}`{'*' if f.metadata.get('personal') else ''}" for f in fields(cls)
        )
        lines.append(f"| `{name}` | {version} | {_one_line(cls.__doc__)} | {known} |")
    return "\n".join(lines) + "\n"


def _json(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _metrics() -> str:
    lines = ["# Metrics", "", _MADE, "", "| name | kind | labels | meaning |", "|---|---|---|---|"]
    for name, metric in sorted(METRICS.items()):
        labels = ", ".join(metric.labels)
        lines.append(f"| `{name}` | {metric.kind.value} | {labels} | {metric.help} |")
    return "\n".join(lines) + "\n"


def _profiles() -> str:
    lines = ["# Profiles of carriers", "", _MADE, ""]
    lines += ["What carriers disagree on, in a TOML file for each; a profile says only where its"]
    lines += ["carrier differs. Examples are in `smpp/profiles/`.", ""]
    lines += ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    for row in describe():
        words = (f"`{row.key}`", f"`{row.default}`", row.allowed, row.meaning)
        lines.append(f"| {' | '.join(map(_one_line, words))} |")
    return "\n".join(lines) + "\n"


def _commands(command: Any, path: str) -> Iterator[str]:
    yield from ("", f"## {path}", "", _one_line(command.help))
    rows = [_parameter(p) for p in command.params if p.name != "help"]
    if rows:
        yield from ("", "| argument | meaning |", "|---|---|", *rows)
    for name, child in sorted(getattr(command, "commands", {}).items()):
        if not child.hidden:
            yield from _commands(child, f"{path} {name}")


def _parameter(parameter: Any) -> str:
    name = ", ".join(o for o in parameter.opts if o.startswith("-")) or parameter.name.upper()
    return f"| `{name}` | {_one_line(getattr(parameter, 'help', None))} |"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")
