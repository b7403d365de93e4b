"""How callers meet people, and what becomes of them when nobody takes the call."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

_REACH = frozenset("agents whisper accept decline waiting every keys offer promised nobody".split())
_AGENT = frozenset("name endpoint ring".split())
_MOST_AGENTS = 10


class Outcome(Enum):
    """What became of a phone that rang."""

    BUSY = "busy"
    DECLINED = "declined"  #: refused, by the phone or by the key
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"  #: there is no such phone, or no way to it
    SILENT = "silent"  #: picked up, but no key came: like an answering machine
    CALLER_GONE = "caller_gone"  #: the caller did not wait for it


class Fallback(Enum):
    """What becomes of a caller whom no person takes."""

    CALLBACK = "callback"  #: they are offered to be called back
    VOICEMAIL = "voicemail"  #: SEGUE_EXIT in the dialplan
    DIALPLAN = "dialplan"  #: to the people of the dialplan, as `handoff`


@dataclass(frozen=True, slots=True)
class Agent:
    """A person's phone: its name for the record, and how Asterisk dials it."""

    name: str
    endpoint: str  # such as PJSIP/desk1
    ring: int = 20  # seconds


@dataclass(frozen=True, slots=True)
class Reach:
    """How people are reached; without agents by the dialplan alone.

    Prompts are names of the bundle's prompts. `whisper` is a template: what the person hears
    before they take the caller, with `topic`, `reason` and the choices made as `slots`.
    """

    agents: tuple[Agent, ...] = ()
    whisper: str = ""
    accept: str = "1"
    decline: str = "2"
    waiting: str | None = None  # said to the caller now and then
    every: int = 15  # seconds between two of these
    keys: Mapping[str, Fallback] = field(default_factory=dict)  # what a waiting caller may press
    offer: str | None = None  # asks whether to call back: by key 1
    promised: str | None = None  # says that we will
    nobody: tuple[Fallback, ...] = (Fallback.DIALPLAN,)  # in this order, the first that can be

    def fallback(self, *, tried: Collection[Fallback], can_call: bool) -> Fallback:
        """What is left for the caller; the dialplan always is."""
        for fallback in self.nobody:
            if fallback in tried or (fallback is Fallback.CALLBACK and not can_call):
                continue
            return fallback
        return Fallback.DIALPLAN


def missed(cause: int, status: int) -> Outcome:
    """The outcome of a phone that was never picked up.

    `cause` as of Q.850 §2.2.7, `status` of RFC 3261 §21; 0 if it is not known.
    """
    if cause == 17 or status in (486, 600):
        return Outcome.BUSY
    if cause == 21 or status in (403, 603, 607):
        return Outcome.DECLINED
    if cause in (16, 18, 19, 127) or status in (408, 480, 487):
        return Outcome.NO_ANSWER
    return Outcome.UNREACHABLE


def read_reach(document: Any) -> Reach:
    """From the section `reach` of a bundle; ValueError says what is wrong."""
    if not document:
        return Reach()
    _known("reach", document, _REACH)
    agents = tuple(_agent(a) for a in document.get("agents") or ())
    if len(agents) > _MOST_AGENTS:
        raise ValueError(f"reach: at most {_MOST_AGENTS} agents are tried for one caller")
    if agents and not document.get("whisper"):
        raise ValueError("reach: agents need a `whisper`, which says who waits and which keys take")
    accept, decline = (str(document.get(k, d)) for k, d in (("accept", "1"), ("decline", "2")))
    if accept == decline or {accept, decline} - set("0123456789*#"):
        raise ValueError(f"reach: accept and decline are two keys, not {accept!r} and {decline!r}")
    every = document.get("every", 15)
    if type(every) is not int or not 5 <= every <= 300:
        raise ValueError(f"reach: every cannot be {every!r}: write seconds, 5 to 300")
    nobody = document.get("nobody", ["dialplan"])
    nobody = nobody if isinstance(nobody, list) else [nobody]
    return Reach(
        agents=agents,
        whisper=str(document.get("whisper", "")),
        accept=accept,
        decline=decline,
        waiting=_name(document.get("waiting")),
        every=every,
        keys={str(k): _fallback(v) for k, v in (document.get("keys") or {}).items()},
        offer=_name(document.get("offer")),
        promised=_name(document.get("promised")),
        nobody=tuple(map(_fallback, nobody)),
    )


def check_reach(reach: Reach, prompts: Collection[str]) -> None:
    """ValueError unless everything that it says can be said."""
    for prompt in (reach.waiting, reach.offer, reach.promised):
        if prompt is not None and prompt not in prompts:
            raise ValueError(f"reach says the unknown prompt {prompt!r}")
    calls_back = Fallback.CALLBACK in (*reach.nobody, *reach.keys.values())
    if calls_back and not (reach.offer and reach.promised):
        raise ValueError("reach: a callback needs the prompts `offer` and `promised`")


def _agent(document: Any) -> Agent:
    _known("an agent of reach", document, _AGENT)
    endpoint, ring = str(document.get("endpoint", "")), document.get("ring", 20)
    if "/" not in endpoint or any(c.isspace() for c in endpoint):
        raise ValueError(f"reach: an endpoint is written like PJSIP/desk1, not {endpoint!r}")
    if type(ring) is not int or not 1 <= ring <= 300:
        raise ValueError(f"reach: ring cannot be {ring!r}: write seconds, 1 to 300")
    return Agent(str(document.get("name", endpoint)), endpoint, ring)


def _fallback(value: Any) -> Fallback:
    try:
        return Fallback(value)
    except ValueError:
        every = ", ".join(f.value for f in Fallback)
        raise ValueError(f"reach: {value!r} is none of {every}") from None


def _name(value: Any) -> str | None:
    return None if value is None else str(value)


def _known(what: str, document: Any, known: Collection[str]) -> None:
    if not isinstance(document, Mapping):
        raise ValueError(f"{what} must be a mapping")
    for key in document.keys() - known:
        raise ValueError(
            f"{what} has the unknown key {key!r}; known are {', '.join(sorted(known))}"
        )
