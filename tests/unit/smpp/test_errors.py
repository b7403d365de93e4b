"""The tree of exceptions, as its head draws it."""

import inspect

import pytest

from smpp import errors
from smpp.constants import Status
from smpp.errors import BindRefused, CommandError, SmppError, Throttled, command_error


def test_every_exception_is_in_the_drawing_under_its_parent() -> None:
    drawing = (errors.__doc__ or "").splitlines()
    names = [line.split("──")[-1].split()[0] for line in drawing if line.strip()]
    classes = [cls for _, cls in inspect.getmembers(errors, inspect.isclass)]
    found = [cls for cls in classes if cls.__module__ == errors.__name__]
    drawn = dict.fromkeys(names[1:])
    assert {cls.__name__ for cls in found} == set(drawn)
    assert all(issubclass(cls, SmppError) for cls in found)


@pytest.mark.parametrize("status", [Status.ESME_RTHROTTLED, Status.ESME_RMSGQFUL])
def test_too_fast_is_an_error_of_its_own(status: int) -> None:
    assert isinstance(command_error(status), Throttled)


def test_a_vendors_status_is_an_error_that_carries_it() -> None:
    error = command_error(0x411)
    assert type(error) is CommandError
    assert error.status == 0x411
    assert str(error) == "0x00000411"


def test_a_refused_bind_says_whether_a_person_must_look_or_time_helps() -> None:
    assert BindRefused(Status.ESME_RINVPASWD).permanent
    assert BindRefused(Status.ESME_RALYBND).held
    for status in (Status.ESME_RSYSERR, 0x400):
        assert not BindRefused(status).permanent
        assert not BindRefused(status).held
