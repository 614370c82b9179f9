"""Whether a store and a run file belong together."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any


def run_hash(identity: dict[str, Any]) -> str:
    """A short name for everything that results depend on (`RunFile.identity`)."""
    return _digest(identity).hex()[:16]


def input_hash(run: str, *parts: Any) -> int:
    """64 bits that name what one unit depends on: its run (`run_hash`), and plain data that place it there."""
    return int.from_bytes(_digest([run, *parts])[:8], "big")


def _digest(data: Any) -> bytes:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


def differences(stored: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """What two identities do not share, one sentence per entry."""
    old, new = dict(_flatten(stored)), dict(_flatten(asked))
    absent = object()
    return [
        f"`{key}` is {_show(old, key)} in the store and {_show(new, key)} in the run file."
        for key in sorted({*old, *new})
        if old.get(key, absent) != new.get(key, absent)
    ]


def _show(entries: dict[str, Any], key: str) -> str:
    return json.dumps(entries[key], ensure_ascii=False) if key in entries else "absent"


def _flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flatten(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value
