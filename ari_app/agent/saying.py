"""What is said in a turn: the prompts of its rule, and its question, in the right wording."""

from __future__ import annotations

from dataclasses import dataclass

from ari_app.agent.hearing import Understood
from ari_app.conversation.state import Conversation
from ari_app.policy.bundle import Bundle
from ari_app.policy.rules import Then
from ari_app.understanding.answers import Kind, say_answer
from ari_app.understanding.languages import language


@dataclass(frozen=True, slots=True)
class Spoken:
    """A prompt to speak; `language` if it is another than the conversation's."""

    prompt: str
    text: str
    language: str | None = None


def speech(
    bundle: Bundle, state: Conversation, then: Then, question: str | None, understood: Understood
) -> tuple[Spoken, ...]:
    """The prompts of the rule, then the question if it asks one."""
    # A question that is asked again after a miss or a silence is asked in other words.
    again = state.misses + state.silences + then.miss if then.ask == "same" else 0
    answer = _read_back(bundle, state, understood)
    said = [
        Spoken(p, bundle.prompt(p, max(state.misses, state.silences - 1, 0), answer=answer))
        for p in then.say
    ]
    asked = bundle.questions[question].prompt if then.ask and question else ""
    if asked in bundle.prompts:
        said.append(Spoken(asked, bundle.prompt(asked, again, answer=answer)))
    return tuple(said)


def _read_back(bundle: Bundle, state: Conversation, understood: Understood) -> str:
    """The answer of this turn as it is read back, else the latest that was noted."""
    spoken = language(bundle.language)
    if understood.answer is not None:
        return say_answer(understood.answer.kind, understood.answer.value, spoken)
    given = state.answers.get(state.answered or "")
    if given is None or given.kind not in {kind.value for kind in Kind}:
        return ""
    try:
        return say_answer(Kind(given.kind), given.value, spoken)
    except ValueError:  # it was erased
        return ""
