"""Whatever is logged, by whichever way, no number and no secret is in the line."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog

from ari_app.telemetry import logs

NUMBER = "+33123456789"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    logs.set_up("json", logging.DEBUG, stream)
    yield stream
    root.handlers[:], level = before
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def fail_with_a_number() -> None:
    raise RuntimeError(f"nobody at {NUMBER}")


def test_a_number_in_the_arguments_does_not_leak(out: io.StringIO) -> None:
    logging.getLogger("ari_app.sms").info("message %s to %s submitted", "msg_1", NUMBER)

    record = json.loads(out.getvalue())
    assert record["event"] == "message msg_1 to +331******89 submitted"
    assert (record["level"], record["logger"]) == ("info", "ari_app.sms")
    assert record["timestamp"].endswith("Z")


def test_a_number_in_an_exception_does_not_leak(out: io.StringIO) -> None:
    try:
        fail_with_a_number()
    except RuntimeError:
        logging.getLogger("x").exception("failed for %s", NUMBER)
        structlog.get_logger("y").exception("failed", caller=NUMBER)

    assert "23456" not in out.getvalue()
    records = [json.loads(line) for line in out.getvalue().splitlines()]
    assert all("RuntimeError: nobody at +331******89" in r["exception"] for r in records)


def test_a_number_in_a_stack_an_extra_or_a_bound_field_does_not_leak(out: io.StringIO) -> None:
    number = NUMBER
    logging.getLogger("x").warning("hello", extra={"caller": number}, stack_info=True)
    structlog.get_logger().bind(caller=number).info("hello", text="my knee hurts", n=3)

    assert "23456" not in out.getvalue()
    assert "knee" not in out.getvalue()
    last = json.loads(out.getvalue().splitlines()[-1])
    assert (last["caller"], last["text"], last["n"]) == ("+331******89", "<length 13>", 3)


def test_a_record_that_cannot_be_formatted_does_not_leak(
    out: io.StringIO, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest's own handlers raise where production writes a line.
    ours = [h for h in logging.getLogger().handlers if type(h).__module__ == logs.__name__]
    monkeypatch.setattr(logging.getLogger(), "handlers", ours)

    logging.getLogger("x").info("number %d", NUMBER)

    assert "could not be written" in out.getvalue()
    assert "23456" not in out.getvalue() + capsys.readouterr().err


def test_a_warning_is_a_record_too(out: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn(f"odd: {NUMBER}", UserWarning, stacklevel=1)
    assert "odd: +331******89" in out.getvalue()


def test_on_a_console_the_same_is_hidden(out: io.StringIO) -> None:
    console = io.StringIO()
    logs.set_up("console", logging.INFO, console)
    try:
        fail_with_a_number()
    except RuntimeError:
        logging.getLogger("x").exception("failed for %s", NUMBER)

    assert out.getvalue() == ""
    assert "failed for +331******89" in console.getvalue()
    assert "nobody at +331******89" in console.getvalue()
    assert "23456" not in console.getvalue()


def test_what_is_below_the_level_is_not_written(out: io.StringIO) -> None:
    logs.set_up("json", "WARNING", out)
    logging.getLogger("x").info("hello")
    structlog.get_logger().info("hello")
    assert out.getvalue() == ""
