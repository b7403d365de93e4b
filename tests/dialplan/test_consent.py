"""A question by FastAGI has an answer, whatever has become of the server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from asterisk.private import PrivateAsterisk
from tests.support.pbx import PATIENCE, Ami, setting

pytestmark = pytest.mark.usefixtures("hurried")


@contextmanager
def fastagi(pbx: PrivateAsterisk, *commands: str, hang: bool = False) -> Iterator[None]:
    """A server that says these commands to one caller and closes, or says nothing for ever."""
    host, _, port = pbx.agi.partition(":")
    with socket.create_server((host, int(port))) as server:
        server.settimeout(PATIENCE)
        over = threading.Event()

        def serve() -> None:
            line, _ = server.accept()
            with line, line.makefile("rw", encoding="utf-8", newline="\n") as talk:
                while talk.readline().strip():  # the agi_ lines end with an empty one
                    pass
                for command in commands:
                    talk.write(command + "\n")
                    talk.flush()
                    talk.readline()
                if hang:
                    over.wait(PATIENCE)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def consent_of_a_caller(pbx: PrivateAsterisk, ami: Ami) -> str:
    pbx.cli("channel originate Local/1000@text-if-allowed/n application Wait 60")
    return ami.user_event("SegueConsent")["Consent"]


def test_without_a_server_consent_is_unknown_and_the_call_goes_on(
    pbx: PrivateAsterisk, ami: Ami
) -> None:
    assert consent_of_a_caller(pbx, ami) == "unknown"
    assert ami.user_event("SegueToPeople")["Reason"] == "no_consent"


def test_a_server_that_never_answers_costs_only_the_limit(pbx: PrivateAsterisk, ami: Ami) -> None:
    with setting(pbx, "SEGUE_AGI_LIMIT", "1"), fastagi(pbx, hang=True):
        assert consent_of_a_caller(pbx, ami) == "unknown"
        assert ami.user_event("SegueToPeople")["Reason"] == "no_consent"


def test_consent_that_is_granted_lets_the_application_have_the_call(
    pbx: PrivateAsterisk, ami: Ami
) -> None:
    with fastagi(pbx, 'SET VARIABLE SEGUE_CONSENT "granted"'):
        assert consent_of_a_caller(pbx, ami) == "granted"
    assert ami.user_event("SegueToPeople")["Reason"] == "app_down"  # for there is none here


def test_consent_that_is_denied_goes_to_people(pbx: PrivateAsterisk, ami: Ami) -> None:
    with fastagi(pbx, 'SET VARIABLE SEGUE_CONSENT "denied"'):
        assert consent_of_a_caller(pbx, ami) == "denied"
    assert ami.user_event("SegueToPeople")["Reason"] == "no_consent"


@pytest.mark.parametrize(
    "answer",
    ["yes", "", "GRANTED", "granted,denied", '" = "granted', 'x" | "1', "1", "granted granted"],
)
def test_an_answer_that_is_no_answer_is_unknown(
    pbx: PrivateAsterisk, ami: Ami, answer: str
) -> None:
    escaped = answer.replace('"', '\\"')
    with fastagi(pbx, f'SET VARIABLE SEGUE_CONSENT "{escaped}"'):
        assert consent_of_a_caller(pbx, ami) == "unknown"
