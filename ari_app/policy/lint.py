"""The checks of a bundle: every name that a rule can reach exists, every template renders."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import TemplateError

from ari_app.errors import BundleError
from ari_app.policy.callbacks import check_callbacks
from ari_app.policy.content import VARIABLES, Bundle, Question, used
from ari_app.policy.people import check_reach
from ari_app.policy.recording import check_recording
from ari_app.policy.rules import Rule
from ari_app.policy.spoken import check_values, prompt_template
from ari_app.understanding.commands import COMMANDS

#: The port TurnDetector knows these.
PROFILES = frozenset({"open", "yes_no", "digits", "date"})
_ABOUT = frozenset({"topic"})
_WHISPERED = frozenset({"topic", "reason", "slots"})


def check(bundle: Bundle) -> None:
    """Every name that a rule can reach exists; every template renders."""
    _check_people(bundle)
    for name, wordings in bundle.prompts.items():
        for wording in wordings:
            more = _ABOUT if name == bundle.callbacks.about else frozenset()
            _check_wording(bundle, f"prompt {name}", wording, more)
    if bundle.offer.invite:
        _check_wording(bundle, "invite", bundle.offer.invite)
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
        if question.profile not in PROFILES:
            raise BundleError(f"question {name} has the unknown profile {question.profile!r}")
        for digit, value in question.choices.items():
            _check_template(bundle, f"choice {digit} of {name}", value)
        _check_wordings(bundle, name, question)
    for command, meant in bundle.commands.items():
        if command not in COMMANDS:
            raise BundleError(f"unknown command {command!r}; known are {', '.join(COMMANDS)}")
        if meant is not None and meant not in bundle.intents:
            raise BundleError(f"command {command} means the unknown intent {meant!r}")
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
    for channel in ("voice", "sms"):
        left = [r for r in bundle.rules if dict(r.when).keys() <= {"channel"}]
        if not any(r.takes("channel", channel) for r in left):
            raise BundleError(f"no rule takes what is left on {channel}: add one with no condition")


def _check_wordings(bundle: Bundle, name: str, question: Question) -> None:
    """Who was not understood is not asked in the same words again, unless these matter."""
    wordings = bundle.prompts.get(question.prompt, ())
    if len(wordings) == 1 and not question.may_repeat:
        raise BundleError(
            f"question {name} is asked in one wording only: give prompt {question.prompt!r} a "
            "second one for who did not understand it, or say `may_repeat: true`"
        )


def _check_wording(
    bundle: Bundle, where: str, wording: str, more: frozenset[str] = frozenset()
) -> None:
    try:
        template = prompt_template(wording, bundle.language)
    except ValueError as error:
        raise BundleError(f"{where}: {error}") from error
    if "code" in _check_template(bundle, where, template, more):
        raise BundleError(f"{where} would say a code aloud: only a text may have it")
    try:
        check_values(wording, bundle.language, bundle.values, bundle.people)
    except ValueError as error:
        raise BundleError(f"{where}: {error}") from error


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
        found = used(template)
    except TemplateError as error:
        raise BundleError(f"{where}: {error}") from error
    if unknown := found - VARIABLES - more:
        raise BundleError(f"{where} uses the unknown variable {sorted(unknown)[0]!r}")
    try:
        for choice in ("", "1"):
            bundle.render(template, choice=choice, **dict.fromkeys(more, ""))
    except Exception as error:  # noqa: BLE001  an expression in a template can raise anything
        raise BundleError(f"{where} cannot be rendered: {error}") from error
    return found


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
    if then.take and when.get("answer") is None:
        raise BundleError(f"rule {rule.name} takes an answer without `answer` in its conditions")
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
