"""What a policy bundle holds; one that exists is valid, see bundle.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import meta

from ari_app.conversation.message import MessageClass, Priority
from ari_app.policy.callbacks import CallbackRules
from ari_app.policy.people import Reach
from ari_app.policy.recording import RecordingPolicy
from ari_app.policy.rules import Rule
from ari_app.policy.spoken import TEMPLATES, prompt_template
from ari_app.understanding.answers import Expected

#: What a template may use that is not known before a call.
OF_A_CALL = frozenset({"choice", "code", "answer", "topic"})
#: What any template may use.
VARIABLES = frozenset({"choice", "code", "answer", "values", "people"})
LONGEST_TEXT = 1600


@dataclass(frozen=True, slots=True)
class Question:
    """Something that is asked: its prompt, how its answer is endpointed, what can be chosen."""

    prompt: str
    profile: str = "open"
    choices: Mapping[str, str] = field(default_factory=dict)
    code: bool = False  # the answer is a code that was texted
    sensitive: bool = False  # nothing of its answer is recorded
    expects: Expected | None = None  # what is listened for beside all that can be said
    may_repeat: bool = False  # the same wording again and again, such as one that is agreed to


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
class Offer:
    """How callers come to a translation: by what they dial, by a key, or told by `invite`."""

    numbers: frozenset[str] = frozenset()
    key: str | None = None
    invite: str | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked bundle in one language; what exists is valid."""

    name: str
    hash: str  # of the YAML text (and its translation): the version that a decision names
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
    zone: ZoneInfo = ZoneInfo("UTC")  # where "tomorrow" is meant
    #: Commands that are an intent of the bundle, or nothing.
    commands: Mapping[str, str | None] = field(default_factory=dict)
    offer: Offer = Offer()
    translations: Mapping[str, Bundle] = field(default_factory=dict)  # by primary language

    def prompt(self, name: str, turn: int = 0, **variables: Any) -> str:
        """The wording of a prompt; the `turn`-th repeat has the next wording."""
        wordings = self.prompts[name]
        wording = wordings[min(turn, len(wordings) - 1)]
        return self.render(prompt_template(wording, self.language), **variables)

    def text(self, name: str, **variables: Any) -> str:
        """The body of a text."""
        return self.render(self.texts[name].body, **variables)[:LONGEST_TEXT]

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
                if not used(template) & OF_A_CALL:
                    found.append((prompt, number, self.render(template)))
        if self.offer.invite:
            found.append(("invite", 1, self.render(self.offer.invite)))
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
            "answer": "",
        }
        known |= variables
        return " ".join(TEMPLATES.from_string(template).render(known).split())


def used(template: str) -> set[str]:
    """The variables of a template; TemplateError."""
    return meta.find_undeclared_variables(TEMPLATES.parse(template))
