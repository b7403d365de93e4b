"""The short bundle, made one that records calls."""

from __future__ import annotations

from pathlib import Path

_SHORT = Path(__file__).parents[1] / "fixtures" / "short.yaml"

_INTENTS = """\
  record_me: [you may record this, please record the call]
  do_not_record: [do not record me, stop recording]
  secret: [my secret number, take my secret number]
"""
_RULES = """\
  - rule: recording_accepted
    when: {channel: voice, by: key, intent: record_me}
    then: {consent: recording, ask: what}
  - rule: recording_refused
    when: {intent: do_not_record}
    then: {refuse: recording, ask: what}
  - rule: secret_wanted
    when: {channel: voice, by: key, intent: secret, question: what}
    then: {ask: secret}
  - rule: secret_given
    when: {channel: voice, by: key, question: secret}
    then: {say: thanks, ask: what}
"""


_QUESTION = "  secret: {prompt: secret, sensitive: true, may_repeat: true}\n"


def recorded(recording: str = "{when: consent}") -> str:
    """Key 7 agrees to a recording, 8 refuses it, 3 asks for a secret; `recording` is YAML."""
    text = _SHORT.read_text(encoding="utf-8")
    for before, after in (
        ("\nintents:\n", f"\nintents:\n{_INTENTS}"),
        ("\nrules:\n", f"\nrecording: {recording}\n\nrules:\n{_RULES}"),
        ("keys: {", 'keys: {"7": record_me, "8": do_not_record, "3": secret, '),
        (
            "\nquestions:\n",
            "\nquestions:\n  secret: {prompt: secret, sensitive: true, may_repeat: true}\n",
        ),
        ("\nprompts:\n", "\nprompts:\n  secret: Press your secret.\n  thanks: I have it.\n"),
    ):
        assert before in text, before
        text = text.replace(before, after, 1)
    return text
