"""Ctrl-C, but not in the middle of saving, and not for workers."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def interrupt_later() -> Iterator[None]:
    """Finish the block before Ctrl-C (SIGINT) has its effect."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread
        return
    received: list[tuple[int, Any]] = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: received.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if received and callable(previous):
        previous(*received[0])


@contextlib.contextmanager
def children_ignore_interrupts() -> Iterator[None]:
    """Processes that the block starts do not notice Ctrl-C, which a terminal sends to them as well."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
