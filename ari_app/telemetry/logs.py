"""Sets up logging: one line per record to stderr, nothing personal in it."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

from ari_app.telemetry.redaction import redacted

Style = Literal["json", "console"]


def set_up(
    style: Style = "json", level: int | str = logging.INFO, stream: TextIO | None = None
) -> None:
    """Route structlog and the standard library's logging to one stream; may be called again.

    Every record goes through redaction last, when arguments and exceptions are text already.
    """
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.StackInfoRenderer(),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _renderer(style),
        ],
    )
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)
    # Two lines at each tick of every job say nothing that its metrics do not.
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def redact(_: object, __: str, record: MutableMapping[str, Any]) -> EventDict:
    """A structlog processor: every field as telemetry.redaction lets it be logged."""
    return {name: redacted(value, name) for name, value in record.items()}


def _renderer(style: Style) -> Processor:
    if style == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )


class _Handler(logging.StreamHandler[TextIO]):
    """Ours among the root's handlers."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """A record that cannot be formatted: logging's own report would show its arguments."""
        self.stream.write(
            f'{{"level": "error", "event": "a log record of {record.name} '
            f'line {record.lineno} could not be written"}}\n'
        )
