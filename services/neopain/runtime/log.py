"""Logging: a constant event phrase and fields, ``key=value``, one line, to standard error. Ids, never names."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime


class FieldFormatter(logging.Formatter):
    """``2026-11-21T08:00:00.123Z INFO service=ingest event=message_acknowledged source=hl7:x control_id=1``."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line; a traceback follows on lines of its own."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = getattr(record, "fields", {})
        told = " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())
        line = (
            f"{moment} {record.levelname} service={self.service} event={_quoted(record.getMessage())} {told}".rstrip()
        )
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return line


def set_up(service: str, level: str = "INFO") -> None:
    """Sends every log of this process to standard error in the one form; called once by the entry."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FieldFormatter(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)


class Log:
    """A logger whose events carry fields: ``LOG.info("score_published", bed=bed, window=end)``."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **fields: object) -> None:
        """For the developer."""
        self._logger.debug(event, extra={"fields": fields})

    def info(self, event: str, **fields: object) -> None:
        """What happened as it should."""
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: object) -> None:
        """What happened as it should not, and was dealt with."""
        self._logger.warning(event, extra={"fields": fields})

    def error(self, event: str, **fields: object) -> None:
        """What a person has to look at; within an ``except`` the traceback follows."""
        self._logger.error(event, extra={"fields": fields}, exc_info=sys.exc_info()[0] is not None)


def _quoted(value: object) -> str:
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return repr(text) if any(c.isspace() or c == "=" for c in text) or not text else text
