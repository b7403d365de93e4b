"""A bundle that is read is valid; one that is not says what is wrong with it."""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from ari_app.conversation.message import MessageClass, Priority
from ari_app.errors import BundleError
from ari_app.policy.bundle import Bundle, Proofs, read_bundle
from tests.support.bundle import demo_bundle, demo_text

SMALL: dict[str, Any] = {
    "bundle": "small",
    "version": 1,
    "language": "en",
    "people": "the desk",
    "values": {"hours": "8 to 6", "times": {"1": "Monday", "2": "Tuesday"}},
    "intents": {"hours": ["when are you open"], "goodbye": ["bye", "thank you"]},
    "keys": {"1": "hours"},
    "greeting": {"disclosure": "hello", "question": "what"},
    "questions": {
        "what": {"prompt": "what"},
        "offer_hours": {"prompt": "offer_hours", "profile": "yes_no", "may_repeat": True},
        "pick": {"choices": {"1": "{{ values.times['1'] }}", "2": "Tuesday"}},
    },
    "prompts": {
        "hello": "This is {{ people }}.",
        "what": ["What can I do?", "Press 1 for our opening hours."],
        "offer_hours": "Shall I text you our hours, {{ values.hours }}?",
        "bye": "Goodbye.",
    },
    "texts": {
        "hours": {"body": "Open {{ values.hours }}. Reply 1 or 2.", "question": "pick"},
        "thanks": {"body": "You chose {{ choice }}."},
    },
    "rules": [
        {"rule": "topic", "when": {"intent": "hours"}, "then": {"topic": "hours", "ask": "what"}},
        {
            "rule": "offer",
            "when": {"channel": "voice", "topic": "*", "heard": ">=0.6"},
            "then": {"text": "{topic}", "ask": "offer_{topic}"},
        },
        {"rule": "rest", "because": "nothing else is left", "then": {"say": "bye", "end": True}},
    ],
}


def small(
    change: Callable[[dict[str, Any]], object] = lambda _: None,
    message_class: MessageClass = MessageClass.AT_MOST_ONCE,
) -> Bundle:
    """The small bundle after one change of its document."""
    document = copy.deepcopy(SMALL)
    change(document)
    return read_bundle(yaml.safe_dump(document), message_class)


def test_the_example_bundle_is_valid() -> None:
    bundle = demo_bundle()
    assert bundle.name == "harbour-clinic"
    assert len(bundle.rules) > 30


def test_a_bundle_says_what_its_operator_wrote() -> None:
    bundle = small()
    assert (bundle.name, bundle.language, bundle.people) == ("small", "en", "the desk")
    assert bundle.intents["goodbye"] == ("bye", "thank you")
    assert bundle.keys == {"1": "hours"}
    assert bundle.topics == {"hours"}
    assert bundle.questions["offer_hours"].profile == "yes_no"
    assert bundle.rules[-1].because == "nothing else is left"


def test_a_hash_names_the_very_text() -> None:
    text = yaml.safe_dump(SMALL)
    assert read_bundle(text).hash == read_bundle(text).hash
    assert read_bundle(text).hash != read_bundle(text + "\n# a remark\n").hash


def test_a_prompt_is_said_in_other_words_the_next_time() -> None:
    bundle = small()
    assert bundle.prompt("hello") == "This is the desk."
    assert bundle.prompt("what", 0) == "What can I do?"
    assert bundle.prompt("what", 1) == "Press 1 for our opening hours."
    assert bundle.prompt("what", 7) == "Press 1 for our opening hours."


def test_a_text_is_filled_in_on_one_line() -> None:
    bundle = small(lambda d: d["texts"]["thanks"].update(body="You chose\n  {{ choice }}.\n"))
    assert bundle.text("thanks", choice="Monday") == "You chose Monday."
    assert bundle.text("hours") == "Open 8 to 6. Reply 1 or 2."


def test_a_text_is_never_longer_than_ten_segments_can_say() -> None:
    bundle = small(lambda d: d["texts"]["thanks"].update(body="x" * 5000))
    assert len(bundle.text("thanks")) == 1600


def test_choices_are_offered_by_their_digits() -> None:
    assert small().choices("pick") == {"1": "Monday", "2": "Tuesday"}
    assert small().choices("what") == {}
    assert small().choices(None) == {}


def test_what_can_be_spoken_is_known_before_a_call() -> None:
    bundle = small(lambda d: d["prompts"].update(chosen="You chose {{ choice }}."))
    assert "Shall I text you our hours, 8 to 6?" in bundle.spoken()
    assert "Press 1 for our opening hours." in bundle.spoken()
    assert not [said for said in bundle.spoken() if "chose" in said]


def test_plain_words_of_yaml_are_words() -> None:
    """YAML 1.1 would read yes and no as booleans, 9:00 as 540 and a date as a date."""
    bundle = read_bundle(
        textwrap.dedent(
            """
            bundle: words
            language: en
            people: us
            values: {opens: 9:00, on: 2026-11-20, code: 0900, n: 7, share: 0.5, open: true, none: ~}
            intents: {yes: [yes, on], no: [no, off, n]}
            keys: {1: yes, 2: no}
            greeting: {disclosure: hello, question: what}
            questions: {what: {may_repeat: true}}
            prompts: {hello: "From {{ values.opens }} on {{ values.on }}.", what: "What?"}
            texts: {}
            rules:
              - {rule: agreed, when: {intent: yes, choice: 1}, then: {say: hello}}
              - {rule: rest, then: {say: hello, end: true}}
            """
        )
    )
    assert bundle.intents == {"yes": ("yes", "on"), "no": ("no", "off", "n")}
    assert bundle.keys == {"1": "yes", "2": "no"}
    assert bundle.values["code"] == "0900"
    assert (bundle.values["n"], bundle.values["share"]) == (7, 0.5)
    assert bundle.values["open"] is True
    assert bundle.values["none"] is None
    assert bundle.prompt("hello") == "From 9:00 on 2026-11-20."
    agreed = next(rule for rule in bundle.rules if rule.name == "agreed")
    assert agreed.matches({"intent": "yes", "choice": "1"})


def test_one_example_needs_no_list() -> None:
    assert small(lambda d: d["intents"].update(bye="so long")).intents["bye"] == ("so long",)


def _rule(**parts: Any) -> Callable[[dict[str, Any]], None]:
    """A further rule at the top."""
    return lambda d: d["rules"].insert(0, {"rule": "new", "then": {"say": "bye"}, **parts})


def _prompt(wording: Any) -> Callable[[dict[str, Any]], None]:
    return lambda d: d["prompts"].update(new=wording)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda d: d.update(colours={}),
            "unknown section 'colours'; known are bundle, callbacks, commands",
        ),
        (lambda d: d.pop("keys"), "the bundle is incomplete: 'keys' is missing"),
        (lambda d: d["greeting"].pop("question"), "'question' is missing"),
        (lambda d: d.update(intents=None), "the bundle is incomplete"),
        (lambda d: d["intents"].pop("goodbye"), "at least two intents"),
        (lambda d: d["intents"].update(goodbye=[]), "each with an example"),
        (lambda d: d["keys"].update({"2": "fly"}), "key 2 means the unknown intent 'fly'"),
        (lambda d: d["greeting"].update(question="why"), "unknown prompt or question"),
        (lambda d: d["greeting"].update(disclosure="hi"), "unknown prompt or question"),
        (lambda d: d["greeting"].update(question="pick"), "'pick' by voice, which has no prompt"),
        (lambda d: d["prompts"].pop("what"), "question what has no prompt 'what'"),
        (
            lambda d: d["questions"]["what"].update(profile="slow"),
            "question what has the unknown profile 'slow'",
        ),
        (
            lambda d: d["texts"]["hours"].update(question="why"),
            "text hours leaves the unknown question 'why' open",
        ),
        (lambda d: d["rules"].pop(), "no rule takes what is left on voice"),
        (
            lambda d: d["rules"][-1].update(when={"channel": "voice"}),
            "no rule takes what is left on sms",
        ),
        (
            lambda d: d["rules"][-1].update(when={"channel": ["voice"]}),
            "no rule takes what is left on sms",
        ),
        (_rule(when={"weather": "fine"}), "rule new looks at the unknown fact 'weather'"),
        (_rule(when=["intent"]), "rule new: `when` must be a mapping"),
        (_rule(when={"intent": "fly"}), "rule new waits for the unknown intent 'fly'"),
        (_rule(when={"intent": ["hours", "fly"]}), "rule new waits for the unknown intent 'fly'"),
        (_rule(when={"intent": True}), "rule new: intent cannot be True"),
        (_rule(when={"heard": "<much"}), "rule new: heard cannot be '<much'"),
        (_rule(when={"heard": "0.6"}), "rule new: heard cannot be '0.6'"),
        (_rule(when={"misses": True}), "rule new: misses cannot be True"),
        (_rule(when={"can_text": "true"}), "rule new: can_text cannot be 'true'"),
        (_rule(when={"choice": {"1": 2}}), "rule new: choice cannot be"),
        (_rule(unless={}), "rule new has the unknown key 'unless'"),
        (_rule(then={"dance": True}), "rule new has the unknown action 'dance'"),
        (_rule(then={}), "rule new does nothing"),
        (_rule(then={"end": "now"}), "rule new: action end cannot be 'now'"),
        (_rule(then={"text": True}), "rule new: action text cannot be True"),
        (_rule(then={"say": "boo"}), "rule new uses the unknown prompt 'boo'"),
        (_rule(then={"say": ["bye", "boo"]}), "rule new uses the unknown prompt 'boo'"),
        (_rule(then={"ask": "why"}), "rule new uses the unknown question 'why'"),
        (_rule(then={"ask": "pick"}), "rule new asks 'pick' by voice, which has no prompt"),
        (_rule(then={"text": "letter"}), "rule new uses the unknown text 'letter'"),
        (_rule(then={"text": "{topic}"}), "uses '{topic}' without `topic` in its conditions"),
        (
            _rule(when={"topic": "*"}, then={"say": "about_{topic}"}),
            "rule new uses the unknown prompt 'about_hours'",
        ),
        (
            _rule(then={"topic": "fees", "text": "{topic}"}),
            "rule new uses the unknown text 'fees'",
        ),
        (lambda d: d["rules"].append("rest"), "a rule must be a mapping with a name: 'rest'"),
        (lambda d: d["rules"].append({"then": {}}), "a rule must be a mapping with a name"),
        (_prompt("{{ values.hours"), "prompt new: "),
        (_prompt(["fine", "{% if %}"]), "prompt new: "),
        (_prompt("{{ caller }}"), "prompt new uses the unknown variable 'caller'"),
        (_prompt("{{ values.fees }}"), "prompt new cannot be rendered: "),
        (_prompt("{{ values.times['9'] }}"), "prompt new cannot be rendered: "),
        (_prompt("{{ 1 / 0 }}"), "prompt new cannot be rendered: "),
        (
            _prompt("{% if choice %}{{ values.fees }}{% endif %}"),
            "prompt new cannot be rendered: ",
        ),
        (
            lambda d: d["texts"]["thanks"].update(body="{{ values.fees }}"),
            "text thanks cannot be rendered: ",
        ),
        (
            lambda d: d["questions"]["pick"]["choices"].update({"3": "{{ values.times['3'] }}"}),
            "choice 3 of pick cannot be rendered: ",
        ),
    ],
)
def test_a_bundle_that_is_wrong_says_where(
    change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    with pytest.raises(BundleError) as refused:
        small(change)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    "template",
    [
        "{{ values.__class__ }}",
        "{{ values.__class__.__mro__ }}",
        "{{ people.__class__.__base__.__subclasses__() }}",
        "{{ ''['__class__'] }}",
        "{{ '' | attr('__class__') }}",
        "{{ values.update({'hours': 'never'}) }}",
        "{{ '%s' | format(people.format.__globals__) }}",
        "{{ '{0.__class__}'.format(values) }}",
        "{% include '/etc/passwd' %}",
        "{% for n in range(10000000) %}x{% endfor %}",
    ],
)
def test_a_template_cannot_leave_its_sandbox(template: str) -> None:
    with pytest.raises(BundleError, match="prompt new"):
        small(_prompt(template))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "the bundle is not YAML"),
        ("a: [b", "the bundle is not YAML"),
        ("!!python/object:os.system {}", "the bundle is not YAML"),
        ("[" * 1500, "the bundle is not YAML"),
        ("!!int x", "the bundle is not YAML"),
        ("!!timestamp x", "the bundle is not YAML"),
        ("!!bool x", "the bundle is not YAML"),
        ("- a\n- b", "the bundle is not a mapping"),
        ("", "the bundle is not a mapping"),
        ("# " + "x" * (1 << 20), "the bundle is longer than 1 MiB"),
    ],
)
def test_a_text_that_is_no_bundle_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        read_bundle(text)


@pytest.mark.parametrize("section", ["prompts", "texts", "questions"])
def test_what_the_example_bundle_uses_cannot_be_renamed_in_one_place_only(section: str) -> None:
    document = yaml.safe_load(demo_text())
    for name in sorted(document[section])[::4]:
        changed = {**document, section: dict(document[section])}
        changed[section]["renamed"] = changed[section].pop(name)
        with pytest.raises(BundleError, match=name):
            read_bundle(yaml.safe_dump(changed))


ASKS = {
    "rule": "prove",
    "when": {"channel": "voice", "can_code": True},
    "then": {"code": "code", "ask": "enter_code"},
}


def with_a_code(document: dict[str, Any]) -> None:
    document["texts"]["code"] = {"body": "It is {{ code }}."}
    document["prompts"]["enter_code"] = "The six digits, please."
    document["questions"]["enter_code"] = {"code": True, "may_repeat": True}
    document["rules"].insert(0, copy.deepcopy(ASKS))


def test_a_rule_may_text_a_code_and_ask_for_it() -> None:
    bundle = small(with_a_code)
    assert bundle.questions["enter_code"].profile == "digits"
    assert bundle.text("code", code="123456") == "It is 123456."
    assert bundle.proofs == Proofs(lasts=60, code_lasts=10, code_tries=3, carry=3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d["rules"][0]["when"].pop("can_code"), "without `can_code: true`"),
        (lambda d: d["rules"][0]["then"].update(ask="what"), "asks no question with `code`"),
        (
            lambda d: d["questions"].update(enter_code={"may_repeat": True}),
            "asks no question with `code`",
        ),
        (lambda d: d["questions"].update(enter_code={"code": "yes"}), "true or false"),
        (lambda d: d["rules"][0]["then"].update(code="none"), "unknown text 'none'"),
        (lambda d: d["texts"].update(code={"body": "Hello"}), "which has no code"),
        (lambda d: d["prompts"].update(enter_code="{{ code }}"), "would say a code aloud"),
        (lambda d: d["rules"][0].update(then={"text": "code"}), "which has a code"),
        (lambda d: d.update(proofs={"lasts": 0}), "lasts cannot be 0"),
        (lambda d: d.update(proofs={"carry": 4}), "carry cannot be 4"),
        (lambda d: d.update(proofs={"lasts": True}), "lasts cannot be True"),
        (lambda d: d.update(proofs={"for": 1}), "unknown key 'for'"),
    ],
)
def test_a_code_that_could_not_be_given_is_noticed(
    change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    def changed(document: dict[str, Any]) -> None:
        with_a_code(document)
        change(document)

    with pytest.raises(BundleError, match=sentence):
        small(changed)


def test_a_text_may_say_how_it_is_sent() -> None:
    def changed(document: dict[str, Any]) -> None:
        document["texts"]["hours"] |= {
            "purpose": "marketing",
            "class": "reconcile",
            "priority": "bulk",
            "valid": 90,
        }

    text = small(changed).texts["hours"]
    assert (text.purpose, text.valid) == ("marketing", 90)
    assert (text.message_class, text.priority) == (MessageClass.RECONCILE, Priority.BULK)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("class", "twice", "'twice' is none of at_most_once"),
        ("priority", "high", "'high' is none of"),
        ("valid", 0, "valid cannot be 0: write minutes"),
        ("valid", "1h", "valid cannot be '1h'"),
        ("color", "red", "unknown key 'color'"),
    ],
)
def test_a_text_that_cannot_be_sent_so_is_noticed(key: str, value: object, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        small(lambda document: document["texts"]["hours"].update({key: value}))


def test_a_text_without_a_class_has_that_of_the_site() -> None:
    def changed(document: dict[str, Any]) -> None:
        document["texts"]["hours"] |= {"class": "at_most_once"}

    bundle = small(changed, MessageClass.RECONCILE)
    others = {t.message_class for name, t in bundle.texts.items() if name != "hours"}
    assert bundle.texts["hours"].message_class is MessageClass.AT_MOST_ONCE
    assert others == {MessageClass.RECONCILE}
