"""A log as JSON lines: one object per event."""

import contextlib
import datetime
import json
import logging
from collections.abc import Iterator
from pathlib import Path

from hofstadter.errors import RunFileError


class JsonLines(logging.Formatter):
    """Writes a record as one JSON object with `time`, `level`, `event` and the event's own data."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        entry = {
            "time": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", None) or record.getMessage(),
            **getattr(record, "data", {}),
        }
        return json.dumps(entry, ensure_ascii=False, default=str)


@contextlib.contextmanager
def logged_to(path: Path | None) -> Iterator[None]:
    """Append what the package logs to a file, or nothing without one.

    Raises:
        RunFileError: If the file cannot be written.
    """
    if path is None:
        yield
        return
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise RunFileError(f"The log {path} cannot be written: {error.strerror}.") from None
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("hofstadter")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
        handler.close()
