"""A policy bundle: everything an operator decides about a dialogue, read from one YAML text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from ari_app.conversation.message import MessageClass, Priority
from ari_app.errors import BundleError
from ari_app.policy import defaults
from ari_app.policy.callbacks import read_callbacks
from ari_app.policy.content import Bundle as Bundle
from ari_app.policy.content import Proofs as Proofs
from ari_app.policy.content import Question as Question
from ari_app.policy.content import Text as Text
from ari_app.policy.expecting import CODE, profile, read_expected
from ari_app.policy.lint import check
from ari_app.policy.people import read_reach
from ari_app.policy.recording import read_recording
from ari_app.policy.rules import read_rule
from ari_app.policy.translation import check_language, merged, read_offer
from ari_app.understanding.answers import Expected, Kind
from ari_app.understanding.languages import primary

_SECTIONS = frozenset(
    "bundle version language people values intents keys questions prompts texts greeting "
    "proofs recording commands zone rules reach callbacks".split()
)
_QUESTION_KEYS = frozenset("prompt profile choices code sensitive expects may_repeat".split())
_LONGEST_BUNDLE = 1 << 20


class _Loader(yaml.SafeLoader):
    """Plain values as in YAML 1.2: `yes`, `no`, `9:00` and `2026-01-02` are words, not values."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


for _tag, _form, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"-?(?:0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(?:0|[1-9][0-9]*)\.[0-9]+", list("-0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_form})$"), _first)


def read_bundle(
    text: str,
    message_class: MessageClass = MessageClass.AT_MOST_ONCE,
    *,
    translations: Sequence[str] = (),
) -> Bundle:
    """Parse and check; BundleError names the place and what is wrong with it.

    `message_class` is that of the texts for which the bundle names none. Each translation has the
    words of the bundle in another language; its rules are the bundle's.
    """
    document = _parse(text)
    for section in document.keys() - _SECTIONS:
        raise BundleError(f"unknown section {section!r}; known are {', '.join(sorted(_SECTIONS))}")
    bundle = _checked(document, text, message_class)
    others: dict[str, Bundle] = {}
    for written in translations:
        other = _translated(document, text, written, message_class)
        language = primary(other.language)
        if language in (primary(bundle.language), *others):
            raise BundleError(f"there are two bundles in the language {language!r}")
        if (key := other.offer.key) is not None and key in bundle.keys:
            raise BundleError(f"the translation to {language}: key {key} has a meaning already")
        others[language] = other
    return replace(bundle, translations=others)


def _translated(
    base: Mapping[str, Any], text: str, translation: str, message_class: MessageClass
) -> Bundle:
    document = _parse(translation)
    where = f"the translation to {check_language(document)}"
    try:
        offer = read_offer(document)
        whole = merged(base, document)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BundleError(f"{where} is incomplete: {error}") from error
    try:
        bundle = replace(_checked(whole, f"{text}\0{translation}", message_class), offer=offer)
        check(bundle)
        return bundle
    except BundleError as error:
        raise BundleError(f"{where}: {error}") from error


def _parse(text: str) -> dict[str, Any]:
    if len(text) > _LONGEST_BUNDLE:
        raise BundleError("the bundle is longer than 1 MiB")
    try:
        document = yaml.load(text, _Loader)
    except Exception as error:  # noqa: BLE001  PyYAML lets through what a value's reader raises
        # PyYAML draws the place over several lines.
        said = " ".join(str(error).split())
        raise BundleError(f"the bundle is not YAML: {said}") from error
    if not isinstance(document, dict):
        raise BundleError("the bundle is not a mapping")
    return document


def _checked(document: Mapping[str, Any], text: str, message_class: MessageClass) -> Bundle:
    try:
        bundle = _build(document, text, message_class)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise BundleError(f"the bundle is incomplete: {what}") from error
    check(bundle)
    return bundle


def _build(document: Mapping[str, Any], text: str, message_class: MessageClass) -> Bundle:
    language = str(document["language"])
    check_language(document)
    own = tuple(read_rule(r) for r in document["rules"])
    commands = {str(k): v if v is None else str(v) for k, v in _mapping(document, "commands")}
    rules = (*defaults.rules(own), *own)
    prompts = {k: _wordings(v) for k, v in document["prompts"].items()}
    return Bundle(
        name=str(document["bundle"]),
        hash=hashlib.sha256(text.encode()).hexdigest()[:16],
        language=language,
        people=str(document["people"]),
        values=dict(document.get("values") or {}),
        intents={str(k): _wordings(v) for k, v in document["intents"].items()},
        keys={str(k): str(v) for k, v in document["keys"].items()},
        questions={k: _question(k, v) for k, v in document["questions"].items()},
        prompts={**defaults.prompts(primary(language)), **prompts},
        texts={str(k): _text(str(k), v, message_class) for k, v in document["texts"].items()},
        rules=rules,
        topics=frozenset(r.then.topic for r in rules if r.then.topic),
        disclosure=str(document["greeting"]["disclosure"]),
        opening=str(document["greeting"]["question"]),
        proofs=_proofs(document.get("proofs") or {}),
        recording=read_recording(document.get("recording") or {}),
        reach=read_reach(document.get("reach")),
        callbacks=read_callbacks(document.get("callbacks")),
        zone=_zone(document.get("zone", "UTC")),
        commands=commands,
    )


def _mapping(document: Mapping[str, Any], section: str) -> Sequence[tuple[Any, Any]]:
    return tuple((document.get(section) or {}).items())


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (ValueError, OSError, LookupError):  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f"there is no time zone {name!r}") from None


def _wordings(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _question(name: str, value: Mapping[str, Any]) -> Question:
    for key in value.keys() - _QUESTION_KEYS:
        known = ", ".join(sorted(_QUESTION_KEYS))
        raise ValueError(f"question {name} has the unknown key {key!r}; known are {known}")
    for flag in ("code", "sensitive", "may_repeat"):
        if not isinstance(value.get(flag, False), bool):
            raise ValueError(f"question {name}: {flag} is true or false, not {value[flag]!r}")
    code = value.get("code", False)
    expects = CODE if code else _expects(name, value)
    return Question(
        prompt=str(value.get("prompt", name)),
        profile=str(value.get("profile", profile(expects))),
        choices={str(k): str(v) for k, v in (value.get("choices") or {}).items()},
        code=code,
        sensitive=code or value.get("sensitive", False),
        expects=expects,
        may_repeat=value.get("may_repeat", False),
    )


def _expects(name: str, value: Mapping[str, Any]) -> Expected | None:
    if "expects" in value:
        return read_expected(name, value["expects"])
    return Expected(Kind.YES_NO) if value.get("profile") == "yes_no" else None


def _text(name: str, value: Mapping[str, Any], message_class: MessageClass) -> Text:
    known = {"body", "question", "purpose", "class", "priority", "valid"}
    for key in value.keys() - known:
        raise ValueError(f"text {name} has the unknown key {key!r}; known are {sorted(known)}")
    valid = value.get("valid")
    if valid is not None and (type(valid) is not int or not 1 <= valid <= 10_000):
        raise ValueError(f"text {name}: valid cannot be {valid!r}: write minutes")
    classes = {c.value: c for c in MessageClass}
    priorities = {p.name.lower(): p for p in Priority}
    try:
        return Text(
            body=str(value["body"]),
            question=value.get("question"),
            purpose=str(value.get("purpose", "transactional")),
            message_class=classes[str(value.get("class", message_class.value))],
            priority=priorities[str(value.get("priority", "normal"))],
            valid=valid,
        )
    except KeyError as error:
        if error.args[0] == "body":
            raise
        every = [*classes, *priorities]
        raise ValueError(f"text {name}: {error.args[0]!r} is none of {', '.join(every)}") from None


def _proofs(document: Mapping[str, Any]) -> Proofs:
    known = {f.name for f in fields(Proofs)}
    for key, value in document.items():
        if key not in known:
            raise ValueError(f"proofs has the unknown key {key!r}; known are {sorted(known)}")
        if type(value) is not int or not 1 <= value <= (3 if key == "carry" else 10_000):
            raise ValueError(f"proofs: {key} cannot be {value!r}")
    return Proofs(**document)
