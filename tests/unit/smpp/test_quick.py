"""A quicker constructor is the same constructor."""

from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any

import pytest

from smpp.quick import quick


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    words: str
    times: int = 1

    def __post_init__(self) -> None:
        if self.times < 0:
            raise ValueError("never less than never")


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Signed(Text):
    by: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Pair:
    left: int
    right: int = 2


def test_it_takes_the_same_arguments_and_defaults() -> None:
    assert (Text(words="a").words, Text(words="a").times) == ("a", 1)
    assert Text(words="a", times=2) == replace(Text(words="a"), times=2)
    assert Pair(1) == Pair(left=1, right=2)


def test_fields_of_the_base_are_set_too() -> None:
    signed = Signed(words="a", by="Tess")
    assert (signed.words, signed.times, signed.by) == ("a", 1, "Tess")


def test_the_check_of_the_class_still_runs() -> None:
    with pytest.raises(ValueError, match="never"):
        Signed(words="a", times=-1)


@pytest.mark.parametrize(
    ("places", "names"), [((), {}), ((), {"words": "a", "tone": "b"}), (("a",), {})]
)
def test_what_is_missing_or_unknown_or_by_place_is_refused(
    places: tuple[str, ...], names: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        Text(*places, **names)


def test_it_stays_frozen_and_is_hashed() -> None:
    with pytest.raises(FrozenInstanceError):
        Text(words="a").words = "b"  # type: ignore[misc]  # that it cannot be set is the point
    assert len({Text(words="a"), Text(words="a")}) == 1


def test_a_default_that_must_be_made_is_refused_at_once() -> None:
    @dataclass(frozen=True, slots=True)
    class Listed:
        items: list[int] = field(default_factory=list)

    with pytest.raises(TypeError, match="items"):
        quick(Listed)
