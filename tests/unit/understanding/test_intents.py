"""What people may say that no example says, and what is none of our business."""

from __future__ import annotations

import time

import pytest

from ari_app.understanding.intents import Intents, Meaning
from ari_app.understanding.words import normalise
from tests.support.bundle import demo_bundle, demo_intents

# Neither these nor the sentences below were used to write the examples or to tune the thresholds.
PARAPHRASES = {
    "yes": [
        "yes sure",
        "yes of course please",
        "that's okay",
        "sure go ahead",
        "yeah that works for me",
        "i'd say yes",
        "yes i would like that",
        "okay that's good",
        "sure why not",
        "yes do it please",
    ],
    "no": [
        "no thanks not today",
        "no i do not",
        "nah",
        "please do not",
        "no don't do that",
        "no i wouldn't like that",
        "no leave it",
        "no not at all",
        "absolutely not",
    ],
    "text_me": [
        "can you send that by text",
        "i'd like a text message",
        "text it to my phone please",
        "send those to me in a message",
        "yes please send me the text",
        "could you just message me",
        "can you send it to me as a text message",
        "please text that to my mobile phone",
        "text me those times",
        "send it by message please",
    ],
    "hear_now": [
        "read the times to me now",
        "i want to hear the times",
        "tell them to me now please",
        "can you just read them",
        "can you read me the times",
        "i'd rather hear them now",
        "please say them to me",
        "read it out please",
    ],
    "reschedule": [
        "i'd like to change the date of my appointment",
        "can i come on another day",
        "i need a different time for my visit",
        "please move my booking to wednesday",
        "i have to reschedule my checkup",
        "i am not able to make it tomorrow",
        "do you have another appointment next week",
        "i need to change my appointment to another day",
        "can we move it to friday",
        "i would like to book another time",
        "i can't make my appointment tomorrow",
        "could i get a later appointment",
    ],
    "hours": [
        "what are your hours",
        "what time do you close today",
        "are you open on sundays",
        "until when are you open on saturday",
        "when does the clinic open",
        "what time do you open in the morning",
        "are you open now",
        "when do you open on monday",
        "tell me your opening times",
        "how late are you open on friday",
    ],
    "address": [
        "what's your address please",
        "how do i get to you",
        "where is the clinic located",
        "where exactly are you",
        "is there a parking lot",
        "where exactly is your office",
        "how can i find your clinic",
        "what bus can i take to get there",
        "your address please",
        "give me directions to the office",
    ],
    "balance": [
        "what's the balance on my account",
        "how much is the bill",
        "i'd like to pay my bill",
        "do i owe you anything",
        "my bill is too high",
        "how much do i have to pay",
        "i have a question about the bill",
        "what do i owe on my account",
        "when do i have to pay my bill",
        "tell me my account balance please",
    ],
    "talk_to_person": [
        "i want to talk to a human",
        "can you connect me to someone",
        "can i speak to the nurse please",
        "real person please",
        "put me through to the front desk",
        "can you put me through to a nurse",
        "i would like to talk to somebody please",
        "get me a real person",
        "human please",
        "connect me to an operator",
    ],
    "repeat": [
        "sorry can you say that again",
        "repeat it please",
        "i couldn't hear you",
        "what did you just say",
        "one more time please",
        "can you say it again",
        "please repeat",
        "i didn't hear that",
        "sorry what did you say",
    ],
    "goodbye": [
        "thanks that's all",
        "okay thank you goodbye",
        "i have everything i need bye",
        "that is all thank you",
        "have a good day",
        "thank you that's everything",
        "no that's it bye",
        "bye now",
        "thanks goodbye",
    ],
    "stop_texts": [
        "stop sending me texts",
        "please don't text me any more",
        "i don't want any more texts",
        "opt me out",
        "cancel the texts",
        "don't send me texts",
        "please take me off the list",
        "stop messaging me",
        "do not send me any more messages",
        "i want no more texts from you",
    ],
}
OUT_OF_SCOPE = [
    "what movies are playing tonight",
    "is it going to rain on the weekend",
    "how do i boil an egg",
    "who wrote that book",
    "add milk to my shopping list",
    "the cat is sleeping on the roof",
    "spell the word necessary",
    "what is two plus two",
    "i am learning to play the guitar",
    "find me a good restaurant",
    "the children are playing in the garden",
    "how far is the airport",
    "change the channel to sports",
    "what language do they speak in brazil",
    "i need a new pair of shoes",
    "he bought a red bicycle",
    "my neighbour is too loud",
    "how much does a new car cost",
    "who is your favourite singer",
    "what year did the war end",
    "write a poem about the sea",
    "do penguins live in the north",
    "please water the flowers",
    "the exam was very difficult",
    "when is the next bus to town",
    "what is my horoscope",
    "start the washing machine",
    "i burned the toast",
    "how do airplanes fly",
    "my internet is slow",
    "count to ten in german",
    "they painted the fence green",
    "can you recommend a good book",
    "what time is it in tokyo",
    "which team is winning",
    "the garden looks lovely in spring",
    "how many people live in china",
    "my brother lives in canada",
    "turn up the volume",
    "who painted the mona lisa",
    "put eggs on the list",
    "do you have brothers or sisters",
    "what is the square root of nine",
    "the elevator is broken",
    "i would like a cheeseburger with fries",
    "is the museum free",
    "can dogs eat chocolate",
    "how cold is it outside",
    "send flowers to my mother",
    "what is the news today",
    "my tooth fell out of my pocket",
    "read me a bedtime story",
    "there is a spider in the bathroom",
    "do we need more coffee",
    "how much is a ticket to london",
    "i can not find my keys",
    "is this seat taken",
    "the battery needs charging",
    "what does this word mean",
    "close the window please",
    "he works in a bank",
    "how long does a turtle live",
    "i want to learn french",
    "which shoes should i wear",
]
SAID = [(text, intent) for intent, texts in PARAPHRASES.items() for text in texts]


@pytest.fixture(scope="module")
def intents() -> Intents:
    return demo_intents()


def test_the_sentences_of_this_file_are_no_examples() -> None:
    examples = {normalise(e) for texts in demo_bundle().intents.values() for e in texts}
    assert not examples & {normalise(text) for text, _ in SAID}
    assert not examples & {normalise(text) for text in OUT_OF_SCOPE}
    assert set(PARAPHRASES) == set(demo_bundle().intents)


def test_nine_of_ten_paraphrases_reach_their_intent(intents: Intents) -> None:
    wrong = [(text, intent) for text, intent in SAID if intents.read(text).intent != intent]
    assert len(wrong) <= len(SAID) * 0.1, wrong


def test_every_intent_is_reached_by_most_of_its_paraphrases(intents: Intents) -> None:
    for intent, texts in PARAPHRASES.items():
        reached = [text for text in texts if intents.read(text).intent == intent]
        assert len(reached) > len(texts) / 2, intent


def test_eight_of_ten_sentences_of_others_are_refused_or_doubted(intents: Intents) -> None:
    taken = [
        (text, meaning)
        for text in OUT_OF_SCOPE
        if (meaning := intents.read(text)).intent is not None and meaning.confidence >= 0.4
    ]
    assert len(taken) <= len(OUT_OF_SCOPE) * 0.2, taken


def test_who_wants_no_texts_is_never_taken_for_one_who_wants_them(intents: Intents) -> None:
    for text in [*PARAPHRASES["stop_texts"], *demo_bundle().intents["stop_texts"]]:
        assert intents.read(text).intent not in ("text_me", "yes"), text


def test_who_says_no_is_never_taken_for_one_who_says_yes(intents: Intents) -> None:
    for text in [*PARAPHRASES["no"], *demo_bundle().intents["no"]]:
        assert intents.read(text).intent not in ("text_me", "yes"), text


def test_an_example_means_what_it_stands_for_however_it_is_written(intents: Intents) -> None:
    for intent, examples in demo_bundle().intents.items():
        for example in examples:
            assert intents.read(example.upper() + "!") == Meaning(intent, 1.0)


@pytest.mark.parametrize("text", ["", "   ", "?!", "...", "\N{THUMBS UP SIGN}"])
def test_no_words_have_no_meaning(text: str, intents: Intents) -> None:
    assert intents.read(text) == Meaning(None, 0.0)


def test_words_that_no_example_has_mean_nothing(intents: Intents) -> None:
    assert intents.read("zxqv wrbl").intent is None
    assert intents.read("\u4f60\u597d").intent is None


def test_unknown_words_weigh_against_known_ones(intents: Intents) -> None:
    known = intents.read("text me the hours please")
    assert known.intent == "text_me"
    drowned = intents.read("text " + "xylophonically perambulating quinquagenarians " * 3)
    assert drowned.intent is None


def test_alternatives_are_ranked_and_the_best_is_the_intent(intents: Intents) -> None:
    meaning = intents.read("could we move my appointment to thursday")
    likely = [confidence for _, confidence in meaning.alternatives]
    assert meaning.intent == meaning.alternatives[0][0] == "reschedule"
    assert len(likely) == 3
    assert likely == sorted(likely, reverse=True)
    assert meaning.confidence == likely[0]


def test_what_is_refused_still_says_what_it_might_have_been(intents: Intents) -> None:
    meaning = intents.read("who painted the mona lisa")
    assert meaning.intent is None
    assert len(meaning.alternatives) == 3


def test_the_same_words_always_mean_the_same() -> None:
    examples = demo_bundle().intents
    again = Intents(examples)
    for text, _ in SAID[::7]:
        assert demo_intents().read(text) == again.read(text)


def test_a_turn_is_read_in_less_than_two_milliseconds(intents: Intents) -> None:
    took = []
    for text, _ in SAID:
        began = time.perf_counter()
        intents.read(text)
        took.append(time.perf_counter() - began)
    # The quickest tenth: what the neighbours of this test do to the machine is not ours.
    assert sorted(took)[len(took) // 10] < 0.002
