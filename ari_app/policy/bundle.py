"""A policy bundle: everything an operator decides about a dialogue, read from one YAML text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import yaml
from jinja2 import TemplateError, meta

from ari_app.conversation.message import MessageClass, Priority
from ari_app.errors import BundleError
from ari_app.policy.callbacks import CallbackRules, check_callbacks, read_callbacks
from ari_app.policy.people import Reach, check_reach, read_reach
from ari_app.policy.recording import RecordingPolicy, check_recording, read_recording
from ari_app.policy.rules import Rule, read_rule
from ari_app.policy.spoken import TEMPLATES as _TEMPLATES
from ari_app.policy.spoken import check_values, prompt_template

_VARIABLES = frozenset({"choice", "code", "values", "people"})
_ABOUT = frozenset({"topic"})
_WHISPERED = frozenset({"topic", "reason", "slots"})
_SECTIONS = frozenset(
    "bundle version language people values intents keys questions prompts texts greeting "
    "proofs recording rules reach callbacks".split()
)
_PROFILES = frozenset({"open", "yes_no", "digits", "date"})  # the port TurnDetector knows these
_LONGEST_BUNDLE = 1 << 20
_LONGEST_TEXT = 1600


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


@dataclass(frozen=True, slots=True)
class Question:
    """Something that is asked: its prompt, how its answer is endpointed, what can be chosen."""

    prompt: str
    profile: str = "open"
    choices: Mapping[str, str] = field(default_factory=dict)
    code: bool = False  # the answer is a code that was texted
    sensitive: bool = False  # nothing of its answer is recorded


@dataclass(frozen=True, slots=True)
class Text:
    """A template of a text message, the question that it leaves open, and how it is sent."""

    body: str
    question: str | None = None
    purpose: str = "transactional"  # what the rules before the wire know it as
    message_class: MessageClass = MessageClass.AT_MOST_ONCE
    priority: Priority = Priority.NORMAL
    valid: int | None = None  # minutes after which it is of no use


@dataclass(frozen=True, slots=True)
class Proofs:
    """How long what a person has proved counts, in minutes, and what a texted code is worth."""

    lasts: int = 60
    code_lasts: int = 10
    code_tries: int = 3
    carry: int = 3  # the highest level that is taken over into a later conversation


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked bundle; what exists is valid."""

    name: str
    hash: str  # of the YAML text: the version that a decision names
    language: str
    people: str
    values: Mapping[str, Any]
    intents: Mapping[str, tuple[str, ...]]
    keys: Mapping[str, str]  # DTMF key -> intent
    questions: Mapping[str, Question]
    prompts: Mapping[str, tuple[str, ...]]  # wordings, one after the other on repeats
    texts: Mapping[str, Text]
    rules: tuple[Rule, ...]
    topics: frozenset[str]  # that a rule can set
    disclosure: str
    opening: str  # the first question
    proofs: Proofs = Proofs()
    recording: RecordingPolicy = RecordingPolicy()
    reach: Reach = Reach()
    callbacks: CallbackRules = CallbackRules()

    def prompt(self, name: str, turn: int = 0, **variables: Any) -> str:
        """The wording of a prompt; the `turn`-th repeat has the next wording."""
        wordings = self.prompts[name]
        wording = wordings[min(turn, len(wordings) - 1)]
        return self.render(prompt_template(wording, self.language), **variables)

    def text(self, name: str, **variables: Any) -> str:
        """The body of a text."""
        return self.render(self.texts[name].body, **variables)[:_LONGEST_TEXT]

    def choices(self, question: str | None) -> dict[str, str]:
        """What can be chosen at a question: the digit, and what it stands for."""
        if question is None:
            return {}
        offered = self.questions[question].choices
        return {digit: self.render(value) for digit, value in offered.items()}

    def wordings(self) -> tuple[tuple[str, int, str], ...]:
        """Every wording that can be rendered before a call: its prompt, its number, its text."""
        found = []
        for prompt, wordings in self.prompts.items():
            for number, wording in enumerate(wordings, 1):
                template = prompt_template(wording, self.language)
                if not _used(template) & {"choice", "code", "topic"}:
                    found.append((prompt, number, self.render(template)))
        return tuple(found)

    def spoken(self) -> tuple[str, ...]:
        """The texts of all `wordings`."""
        return tuple(text for _, _, text in self.wordings())

    def render(self, template: str, **variables: Any) -> str:
        """A template of this bundle, filled in, on one line."""
        known = {
            "values": self.values,
            "people": self.people,
            "choice": "",
            "code": "",
            "topic": "",
        }
        known |= variables
        return " ".join(_TEMPLATES.from_string(template).render(known).split())


def read_bundle(text: str, message_class: MessageClass = MessageClass.AT_MOST_ONCE) -> Bundle:
    """Parse and check; BundleError names the place and what is wrong with it.

    `message_class` is that of the texts for which the bundle names none.
    """
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
    for section in document.keys() - _SECTIONS:
        raise BundleError(f"unknown section {section!r}; known are {', '.join(sorted(_SECTIONS))}")
    try:
        bundle = _build(document, text, message_class)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise BundleError(f"the bundle is incomplete: {what}") from error
    _check(bundle)
    return bundle


def _build(document: Mapping[str, Any], text: str, message_class: MessageClass) -> Bundle:
    rules = tuple(read_rule(r) for r in document["rules"])
    return Bundle(
        name=str(document["bundle"]),
        hash=hashlib.sha256(text.encode()).hexdigest()[:16],
        language=str(document["language"]),
        people=str(document["people"]),
        values=dict(document.get("values") or {}),
        intents={str(k): _wordings(v) for k, v in document["intents"].items()},
        keys={str(k): str(v) for k, v in document["keys"].items()},
        questions={k: _question(k, v) for k, v in document["questions"].items()},
        prompts={k: _wordings(v) for k, v in document["prompts"].items()},
        texts={str(k): _text(str(k), v, message_class) for k, v in document["texts"].items()},
        rules=rules,
        topics=frozenset(r.then.topic for r in rules if r.then.topic),
        disclosure=str(document["greeting"]["disclosure"]),
        opening=str(document["greeting"]["question"]),
        proofs=_proofs(document.get("proofs") or {}),
        recording=read_recording(document.get("recording") or {}),
        reach=read_reach(document.get("reach")),
        callbacks=read_callbacks(document.get("callbacks")),
    )


def _wordings(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _question(name: str, value: Mapping[str, Any]) -> Question:
    choices = {str(k): str(v) for k, v in (value.get("choices") or {}).items()}
    code, sensitive = value.get("code", False), value.get("sensitive", False)
    for key, flag in (("code", code), ("sensitive", sensitive)):
        if not isinstance(flag, bool):
            raise ValueError(f"question {name}: {key} is true or false, not {flag!r}")
    profile = str(value.get("profile", "digits" if code else "open"))
    return Question(str(value.get("prompt", name)), profile, choices, code, code or sensitive)


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


def _check(bundle: Bundle) -> None:
    """Every name that a rule can reach exists; every template renders."""
    for name, wordings in bundle.prompts.items():
        for wording in wordings:
            where = f"prompt {name}"
            more = _ABOUT if name == bundle.callbacks.about else frozenset()
            try:
                template = prompt_template(wording, bundle.language)
            except ValueError as error:
                raise BundleError(f"{where}: {error}") from error
            if "code" in _check_template(bundle, where, template, more):
                raise BundleError(f"prompt {name} would say a code aloud: only a text may have it")
            try:
                check_values(wording, bundle.language, bundle.values, bundle.people)
            except ValueError as error:
                raise BundleError(f"{where}: {error}") from error
    for name, text in bundle.texts.items():
        coded = "code" in _check_template(bundle, f"text {name}", text.body)
        for rule in bundle.rules:
            if (then := rule.then).text == name and coded or then.code == name and not coded:
                verb = "has a" if coded else "has no"
                raise BundleError(f"rule {rule.name} sends the text {name}, which {verb} code")
        if text.question is not None and text.question not in bundle.questions:
            raise BundleError(f"text {name} leaves the unknown question {text.question!r} open")
    for name, question in bundle.questions.items():
        # A question that only a text asks has no prompt to speak.
        if not question.choices and question.prompt not in bundle.prompts:
            raise BundleError(f"question {name} has no prompt {question.prompt!r}")
        if question.profile not in _PROFILES:
            raise BundleError(f"question {name} has the unknown profile {question.profile!r}")
        for digit, value in question.choices.items():
            _check_template(bundle, f"choice {digit} of {name}", value)
    for key, intent in bundle.keys.items():
        if intent not in bundle.intents:
            raise BundleError(f"key {key} means the unknown intent {intent!r}")
    if len(bundle.intents) < 2 or not all(bundle.intents.values()):
        raise BundleError("a bundle needs at least two intents, each with an example")
    if bundle.disclosure not in bundle.prompts or bundle.opening not in bundle.questions:
        greeting = f"{bundle.disclosure!r} and {bundle.opening!r}"
        raise BundleError(f"greeting names an unknown prompt or question: {greeting}")
    if bundle.questions[bundle.opening].prompt not in bundle.prompts:
        raise BundleError(f"greeting asks {bundle.opening!r} by voice, which has no prompt")
    check_recording(bundle.recording, map(bundle.render, bundle.prompts[bundle.disclosure]))
    for rule in bundle.rules:
        _check_rule(bundle, rule)
    _check_people(bundle)
    for channel in ("voice", "sms"):
        left = [r for r in bundle.rules if dict(r.when).keys() <= {"channel"}]
        if not any(r.takes("channel", channel) for r in left):
            raise BundleError(f"no rule takes what is left on {channel}: add one with no condition")


def _check_people(bundle: Bundle) -> None:
    try:
        check_reach(bundle.reach, bundle.prompts)
        check_callbacks(bundle.callbacks, bundle.prompts)
    except ValueError as error:
        raise BundleError(str(error)) from error
    _check_template(bundle, "the whisper of reach", bundle.reach.whisper, _WHISPERED)


def _check_template(
    bundle: Bundle, where: str, template: str, more: frozenset[str] = frozenset()
) -> set[str]:
    """The variables that it uses."""
    try:
        used = _used(template)
    except TemplateError as error:
        raise BundleError(f"{where}: {error}") from error
    if unknown := used - _VARIABLES - more:
        raise BundleError(f"{where} uses the unknown variable {sorted(unknown)[0]!r}")
    try:
        for choice in ("", "1"):
            bundle.render(template, choice=choice, **dict.fromkeys(more, ""))
    except Exception as error:  # noqa: BLE001  an expression in a template can raise anything
        raise BundleError(f"{where} cannot be rendered: {error}") from error
    return used


def _used(template: str) -> set[str]:
    """The variables of a template."""
    return meta.find_undeclared_variables(_TEMPLATES.parse(template))


def _check_rule(bundle: Bundle, rule: Rule) -> None:
    when = dict(rule.when)
    intents = when.get("intent")
    for intent in intents if isinstance(intents, tuple) else (intents,):
        if isinstance(intent, str) and intent != "*" and intent not in bundle.intents:
            raise BundleError(f"rule {rule.name} waits for the unknown intent {intent!r}")
    then = rule.then
    named: list[tuple[str, str, Callable[[str], bool]]] = [
        ("prompt", prompt, bundle.prompts.__contains__) for prompt in then.say
    ]
    if then.ask and then.ask != "same":
        named.append(("question", then.ask, bundle.questions.__contains__))
    if then.text:
        named.append(("text", then.text, bundle.texts.__contains__))
    if then.code:
        named.append(("text", then.code, bundle.texts.__contains__))
        if when.get("can_code") is not True:
            raise BundleError(f"rule {rule.name} texts a code without `can_code: true`")
        left = bundle.texts[then.code].question if then.code in bundle.texts else None
        question = bundle.questions.get(then.ask or left or "")
        if question is None or not question.code:
            raise BundleError(f"rule {rule.name} texts a code, but asks no question with `code`")
    topics = (
        [then.topic] if then.topic else sorted(t for t in bundle.topics if rule.takes("topic", t))
    )
    for kind, name, known in named:
        if "{topic}" in name and not then.topic and when.get("topic") is None:
            raise BundleError(f"rule {rule.name} uses {name!r} without `topic` in its conditions")
        for full in {name.replace("{topic}", t) for t in topics} if "{topic}" in name else {name}:
            if not known(full):
                raise BundleError(f"rule {rule.name} uses the unknown {kind} {full!r}")
            if kind == "question" and rule.takes("channel", "voice"):
                _check_spoken(bundle, rule, full)


def _check_spoken(bundle: Bundle, rule: Rule, question: str) -> None:
    """A caller is never left in silence by a question that has no prompt."""
    if bundle.questions[question].prompt not in bundle.prompts:
        raise BundleError(f"rule {rule.name} asks {question!r} by voice, which has no prompt")
