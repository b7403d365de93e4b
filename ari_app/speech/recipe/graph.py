"""The decoding graphs that libvosk reads: HCLr.fst from the lexicon, Gr.fst from the n-gram.

libvosk composes the two when it needs them, so a grammar can take the place of Gr.fst at run time.
Word numbers follow the tree of the lexicon, so that its look-ahead needs no relabelling.
Needs kaldifst for Kaldi's determinisation and minimisation.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ari_app.speech.recipe.kaldi import transition_ids
from ari_app.speech.recipe.lexicon import Entry
from ari_app.speech.recipe.ngram import END, NGram
from ari_app.speech.recipe.tongue import SILENCE, Tongue

_SILENCE_SHARE = 0.35  # probability of a pause behind a word
EPSILON = 0
FINAL = -1  # among the words that can come next: none, the end


@dataclass(frozen=True, slots=True)
class Arc:
    """From one state to another; labels of 0 are none."""

    enters: int
    gives: int
    cost: float
    to: int


@dataclass(slots=True)
class Graph:
    """A weighted transducer; `final` is infinite for states that are not."""

    arcs: list[list[Arc]]
    final: list[float]
    start: int


@dataclass(frozen=True, slots=True)
class Graphs:
    """What a model folder needs, and the words in the order of their numbers (from 1)."""

    lexicon: Graph
    follows: Graph
    words: tuple[str, ...]
    next_words: list[set[int]]  # per state of the lexicon: the words that can come next, or FINAL


def graphs(lexicon: Sequence[Entry], ngram: NGram, tongue: Tongue) -> Graphs:
    """Both graphs; the same for the same lexicon and n-gram."""
    first = {word: i + 1 for i, word in enumerate(sorted({entry.word for entry in lexicon}))}
    tree = with_transitions(_lexicon_graph(lexicon, first, tongue), tongue)
    order = _tree_order(tree)
    number = {old: new + 1 for new, old in enumerate(order)}
    for arcs in tree.arcs:
        arcs[:] = [Arc(a.enters, number.get(a.gives, EPSILON), a.cost, a.to) for a in arcs]
    word_of = {old: word for word, old in first.items()}
    words = tuple(word_of[old] for old in order)
    follows = _follows(ngram, {word: i + 1 for i, word in enumerate(words)})
    return Graphs(tree, follows, words, next_words(tree))


def with_transitions(graph: Graph, tongue: Tongue) -> Graph:
    """Phones become transition ids: entering on the arc, staying at the state it leads to."""
    phones = len(tongue.table)
    ids = transition_ids(tongue)
    into: list[set[int]] = [set() for _ in graph.arcs]
    for arcs in graph.arcs:
        for arc in arcs:
            into[arc.to].add(arc.enters if 0 < arc.enters < phones else EPSILON)
    into[graph.start].add(EPSILON)
    made = Graph([[] for _ in graph.arcs], list(graph.final), graph.start)
    copies: dict[tuple[int, int], int] = {}

    def state_of(state: int, phone: int) -> int:
        """A state in which only that phone can go on."""
        if into[state] == {phone}:
            return state
        if (state, phone) not in copies:
            copy = copies[state, phone] = len(made.arcs)
            stays, leaves = Arc(ids[phone][0], EPSILON, 0, copy), Arc(EPSILON, EPSILON, 0, state)
            made.arcs.append([stays, leaves])
            made.final.append(math.inf)
        return copies[state, phone]

    for state, entering in enumerate(into):
        if len(entering) == 1 and EPSILON not in entering:
            made.arcs[state].append(Arc(ids[min(entering)][0], EPSILON, 0, state))
    for state, arcs in enumerate(graph.arcs):
        for arc in arcs:
            if 0 < arc.enters < phones:
                to = state_of(arc.to, arc.enters)
                made.arcs[state].append(Arc(ids[arc.enters][1], arc.gives, arc.cost, to))
            else:
                made.arcs[state].append(Arc(EPSILON, arc.gives, arc.cost, arc.to))
    return made


def next_words(graph: Graph) -> list[set[int]]:
    """For each state the words that can come first from there, and FINAL where none must."""
    found: list[set[int]] = [set() for _ in graph.arcs]
    before: list[list[int]] = [[] for _ in graph.arcs]
    for state, arcs in enumerate(graph.arcs):
        if graph.final[state] < math.inf:
            found[state].add(FINAL)
        for arc in arcs:
            if arc.gives:
                found[state].add(arc.gives)
            elif arc.to != state:
                before[arc.to].append(state)
    waiting = deque(range(len(graph.arcs)))
    queued = [True] * len(graph.arcs)
    while waiting:
        state = waiting.popleft()
        queued[state] = False
        for earlier in before[state]:
            if not found[state] <= found[earlier]:
                found[earlier] |= found[state]
                if not queued[earlier]:
                    queued[earlier] = True
                    waiting.append(earlier)
    return found


def _tree_order(graph: Graph) -> list[int]:
    """All words, depth first: those with a beginning in common are neighbours."""
    order: dict[int, None] = {}
    seen: set[int] = set()
    for start in (graph.start, *range(len(graph.arcs))):
        waiting = [iter([start])]
        while waiting:
            state = next(waiting[-1], None)
            if state is None:
                waiting.pop()
            elif state not in seen:
                seen.add(state)
                waiting.append(_deeper(graph.arcs[state], order))
    return list(order)


def _deeper(arcs: Iterable[Arc], order: dict[int, None]) -> Any:
    for arc in sorted(arcs, key=lambda a: (a.enters, a.gives, a.cost, a.to)):
        if arc.gives:
            order.setdefault(arc.gives)
        else:
            yield arc.to


# -- through kaldifst --------------------------------------------------------------------------


class _Builder:
    def __init__(self) -> None:
        import kaldifst

        self._kaldifst = kaldifst
        self.fst = kaldifst.StdVectorFst()

    def state(self) -> int:
        number: int = self.fst.add_state()
        return number

    def arc(self, start: int, enters: int, gives: int, cost: float, to: int) -> None:
        self.fst.add_arc(start, self._kaldifst.StdArc(enters, gives, cost, to))

    def graph(self) -> Graph:
        arcs, final = [], []
        for state in self._kaldifst.StateIterator(self.fst):
            leaving = self._kaldifst.ArcIterator(self.fst, state)
            arcs.append(
                [Arc(a.ilabel, a.olabel, float(a.weight.value), a.nextstate) for a in leaving]
            )
            final.append(float(self.fst.final(state).value))
        return Graph(arcs, final, self.fst.start)


def _lexicon_graph(lexicon: Sequence[Entry], numbers: dict[str, int], tongue: Tongue) -> Graph:
    """Phones to words, with a pause before the first and behind each; smallest, deterministic."""
    import kaldifst

    build = _Builder()
    start, loop, pause, paused = (build.state() for _ in range(4))
    build.fst.start = start
    build.fst.set_final(loop, 0)
    pausing, going_on = -math.log(_SILENCE_SHARE), -math.log(1 - _SILENCE_SHARE)
    marks = len(tongue.table)  # the number of #0
    pause_mark = marks + max(entry.mark for entry in lexicon) + 1
    build.arc(start, EPSILON, EPSILON, going_on, loop)
    build.arc(start, EPSILON, EPSILON, pausing, pause)
    build.arc(pause, tongue.table.index(SILENCE), EPSILON, 0, paused)
    build.arc(paused, pause_mark, EPSILON, 0, loop)
    for entry in lexicon:
        *sounds, last = (*entry.phones, marks + entry.mark) if entry.mark else entry.phones
        state, gives, cost = loop, numbers[entry.word], entry.cost
        for sound in sounds:
            to = build.state()
            build.arc(state, sound, gives, cost, to)
            state, gives, cost = to, EPSILON, 0.0
        build.arc(state, last, gives, cost + going_on, loop)
        build.arc(state, last, gives, cost + pausing, pause)
    kaldifst.determinize_star(build.fst, use_log=True)
    kaldifst.minimize_encoded(build.fst)
    return build.graph()


def _follows(ngram: NGram, numbers: dict[str, int]) -> Graph:
    """The n-gram as an acceptor: a state per history, back-off arcs without a label."""
    import kaldifst

    build = _Builder()
    states = {history: build.state() for history in ngram.histories}
    for history, state in states.items():
        for word in ngram.following(history):
            cost = -math.log(ngram.probability(history, word))
            if word == END:
                build.fst.set_final(state, cost)
            else:
                number = numbers[word]
                build.arc(state, number, number, cost, states[ngram.after(history, word)])
        if history:
            shorter = ngram.after((), history[-1]) if len(history) > 1 else ()
            build.arc(state, EPSILON, EPSILON, -math.log(ngram.back_off(history)), states[shorter])
    build.fst.start = states[ngram.after((), "<s>")]
    kaldifst.arcsort(build.fst, "ilabel")
    return build.graph()
