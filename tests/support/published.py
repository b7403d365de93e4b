"""What has been promised of events: frozen schemas and payloads that are only ever added to.

`python -m tests.support.published` adds what is new and refuses what breaks a promise.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import typing
from pathlib import Path
from typing import Any

from ari_app.conversation.events import REGISTRY, Event, from_payload, name_of, to_payload
from ari_app.conversation.schema import Schema, breaks, schemas

FIXTURES = Path(__file__).parents[1] / "fixtures"
SCHEMAS = FIXTURES / "schemas"
EVENTS = FIXTURES / "events"
COMMAND = "run `python -m tests.support.published` and commit what it adds"

_SAMPLES: dict[Any, Any] = {int: 7, float: 0.5, bool: True, type(None): None}


def frozen_schemas(folder: Path = SCHEMAS) -> dict[str, Schema]:
    """Every schema that was ever published, by its title."""
    paths = sorted(folder.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def freeze_schemas(folder: Path, current: dict[str, Schema]) -> list[str]:
    """Add to the folder what is new; what would break a promise is told and left as it was."""
    refused = []
    frozen = frozen_schemas(folder)
    for title, now in current.items():
        was = frozen.get(title)
        if was is not None and (lost := breaks(was, now)):
            refused += [f"{title}: {what}: make a new version with an upcaster" for what in lost]
        elif was is None or breaks(now, was):  # there is more than was promised
            _write(folder / f"{title}.json", now)
    return refused


def title_of(event: Event) -> str:
    """As schemas and fixtures are called."""
    name, version = name_of(event)
    return f"{name}.v{version}"


def plain(event: Event) -> dict[str, Any]:
    """Its payload as it comes out of JSON."""
    read: dict[str, Any] = json.loads(json.dumps(to_payload(event)))
    return read


def _freeze_events() -> None:
    for (name, version), cls in REGISTRY.items():
        path = EVENTS / f"{name}.v{version}.json"
        if not path.exists():
            _write(path, [{"payload": p, "reads": {}} for p in _payloads(cls)])
    for path in sorted(EVENTS.glob("*.json")):
        examples = json.loads(path.read_text(encoding="utf-8"))
        name, _, number = path.stem.rpartition(".v")
        before = json.dumps(examples)
        for example in examples:
            event = from_payload(name, int(number), example["payload"])
            # One expectation for each version that it was ever read as.
            example["reads"].setdefault(title_of(event), plain(event))
        if json.dumps(examples) != before:
            _write(path, examples)


def _payloads(cls: type[Any]) -> list[dict[str, Any]]:
    """One payload with all that a field may hold, and one with as little as it may."""
    hints = typing.get_type_hints(cls)
    needed = {f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING}
    full = {name: _sample(name, hint, full=True) for name, hint in hints.items()}
    least = {name: _sample(name, hints[name], full=False) for name in hints if name in needed}
    return [full] if full == least else [full, least]


def _sample(name: str, hint: Any, full: bool) -> Any:
    if hint is Any:
        return {"deep": [1, ["two", None]]}
    if hint is str:
        return f"é {name}"  # so that two fields which change places are seen
    if hint in _SAMPLES:
        return _SAMPLES[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and arguments[-1] is ...:
        return [_sample(name, arguments[0], full)] * 2 if full else []
    if origin is tuple:
        return [_sample(name, a, full) for a in arguments]
    if origin is dict:
        return {"key": _sample(name, arguments[1], full)} if full else {}
    # A union: the last of ours is None.
    return _sample(name, arguments[0 if full else -1], full)


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    broken = freeze_schemas(SCHEMAS, schemas())
    if broken:
        sys.exit("\n".join(broken))
    _freeze_events()
