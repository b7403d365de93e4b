"""What callers of the benchmark say: none of it is a sentence that the mini model was trained on.

`|` is a place where a caller may pause; after `.|` what was said would already be an answer.
`{date}` and `{digits}` are drawn. The two sets share no wording.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Kind = Literal["yes_no", "digits", "date", "open"]
KINDS: tuple[Kind, ...] = ("yes_no", "digits", "date", "open")

# A single word is no sentence: these are in both sets, and the model knows them.
ANSWERS = ("yes", "no", "yeah", "nope")

TUNE: Mapping[Kind, tuple[str, ...]] = {
    "yes_no": (
        "yes that is the one",
        "yes.| i would like that",
        "no that was last year",
        "no.| i need the other one",
        "yeah i think that is good",
        "well | yes i think so",
        "no it was not me",
        "yes you can do that",
        "no.| please do not send it",
        "i think | yes",
        "it is okay yes",
        "yes for me",
        "no not that",
        "no we never had that",
    ),
    "digits": (
        "{digits}",
        "{digits}",
        "it is {digits}",
        "okay | it is {digits}",
        "that would be {digits}",
        "the number here is | {digits}",
    ),
    "date": (
        "it would be | {date}",
        "could we say {date}",
        "i was thinking about | {date}",
        "we would like {date}.| if you have that",
        "maybe {date}",
        "i think it was | {date}",
        "not this week | it should be {date}",
        "my wife can come | {date}",
    ),
    "open": (
        "i need to know | when someone can come and look at my heating",
        "my phone was stopped | and i never got an answer about the money",
        "i was there on monday | but no one opened the door for me",
        "the machine that you sent | makes a very loud noise at night",
        "we moved house last month | and the bill still goes to the old address",
        "i would like to speak to somebody | about the price of the new plan",
        "the driver left my box | with people that i do not know",
        "can you look | if the payment from friday came in",
        "my daughter needs | a seat near the window on that train",
        "there is water on the floor | of my kitchen since this morning",
        "i want to give back | the blue chair that i bought in your store",
        "the doctor said | that i should call you about my test",
        "it says on the screen | that my card is not good any more",
        "please tell the owner | that the light in the kitchen is broken",
        "i have two rooms now | and i only need one of them",
        "you took the money twice | and i need some of it back today",
        "the letter says | that i have to pay before the end of the week",
        "my internet stopped | right after the rain last night",
    ),
}

FIGURES: Mapping[Kind, tuple[str, ...]] = {
    "yes_no": (
        "yes that was my plan",
        "yes.| you can send it to me",
        "no that is not my name",
        "no.| i wanted the small one",
        "yeah we talked about that",
        "oh | yes that is me",
        "no i never said that",
        "yes i would love to",
        "no.| i changed my mind about it",
        "i hope so | yes",
        "that is fine yes",
        "yes to both",
        "no not this",
        "no it came too late",
    ),
    "digits": (
        "{digits}",
        "{digits}",
        "here it is {digits}",
        "right | the number is {digits}",
        "i think it is {digits}",
        "it says here | {digits}",
    ),
    "date": (
        "we could come | {date}",
        "i would take {date}",
        "the best day for us is | {date}",
        "let me have {date}.| if that is free",
        "perhaps {date}",
        "it happened | {date}",
        "i am away now | so please make it {date}",
        "my son wants | {date}",
    ),
    "open": (
        "i would like to find out | why my order went to another city",
        "my heating makes a strange noise | and the room is always cold",
        "we waited all day | and the man with the table never came",
        "the price on my bill | is not the one that you told me",
        "i lost the key | to the box in front of my house",
        "can somebody help me | with the new password for my account",
        "my father wants to stop | the insurance on his old car",
        "the bag that i bought | broke on the first day",
        "i think you sent me | the wrong size of shirt",
        "there was no one in the office | when i came to pay",
        "i need another room | because two more people are coming with us",
        "please ask your driver | to leave it at the back door",
        "the train was so late | that we did not get our flight",
        "my name is wrong | on the letter that you sent last week",
        "i have a question | about the money that i get back",
        "the light on the machine is red | and nothing happens",
        "somebody called me | from this number about a contract",
        "my wife has an appointment | but she has to work that day",
    ),
}

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"),
    *("tenth", "eleventh", "twelfth", "fourteenth", "sixteenth", "nineteenth", "twentieth"),
    *("twenty second", "twenty fourth", "twenty eighth", "thirtieth"),
)
PARTS = ("in the morning", "in the afternoon", "in the evening")
FILLERS = ("um", "uh")
