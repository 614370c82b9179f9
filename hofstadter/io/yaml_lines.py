"""YAML text as plain data, together with the line that every entry stands on."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from hofstadter.errors import RunFileError

# What no run file needs, and a reader would be busy with for long.
MOST_CHARACTERS = 10**6
MOST_ENTRIES = 50_000
MOST_LEVELS = 40

Path = tuple[str | int, ...]
"""Where an entry is, outermost first: ("sweep", "model.t2", 0)."""


@dataclasses.dataclass(frozen=True)
class Mistake:
    """One thing that is wrong with a file.

    Attributes:
        path: The entry that is wrong.
        message: A full sentence.
        line: Its line; by default found from `path`.
    """

    path: Path
    message: str
    line: int | None = None


@dataclasses.dataclass(frozen=True)
class Document:
    """What a YAML file says.

    Attributes:
        data: Dictionaries, lists, text and numbers.
        lines: The line of every key and list item, counted from 1.
        mistakes: Keys that appear twice or are not text.
    """

    data: Any
    lines: dict[Path, int]
    mistakes: tuple[Mistake, ...]

    def line(self, path: Path) -> int:
        """The line of an entry, or of the closest one around it that exists."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(text: str, name: str) -> Document:
    """Read YAML without running anything that it may ask for.

    Args:
        text: The content of the file.
        name: The file's name, for messages.

    Raises:
        RunFileError: If the text is not YAML, or longer or deeper than any run file.
    """
    if len(text) > MOST_CHARACTERS:
        raise as_error(
            name, [Mistake((), f"A run file has at most {MOST_CHARACTERS} characters, this has {len(text)}.")]
        )
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True  # found, with their lines, in `_walk`
    try:
        _check_events(yaml, text)
        node = yaml.compose(text)
        lines: dict[Path, int] = {(): 1}
        mistakes: list[Mistake] = []
        if node is not None:
            _walk(node, (), lines, mistakes, frozenset())
        return Document(yaml.load(text), lines, tuple(mistakes))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part.strip() for part in (error.context, error.problem) if part) or "it cannot be read"
        if "'\\t'" in what:
            what = "a tab where YAML allows spaces only"
        raise as_error(name, [Mistake((), f"This is not valid YAML: {what}.", mark.line + 1 if mark else 1)]) from None
    except (YAMLError, RecursionError, ValueError) as error:
        raise as_error(name, [Mistake((), f"This is not valid YAML: {error}.")]) from None


def as_error(name: str, mistakes: Iterable[Mistake], document: Document | None = None) -> RunFileError:
    """One error that lists every mistake as `file:line: sentence`, in the order of the file."""
    rows = {}
    for mistake in mistakes:
        line = mistake.line or (document.line(mistake.path) if document else 1)
        rows[line, mistake.message] = f"{name}:{line}: {mistake.message}"
    return RunFileError("\n".join(rows[key] for key in sorted(rows)))


def show_path(path: Path) -> str:
    """Write a path as a reader would: `task.fluxes[1]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _check_events(yaml: YAML, text: str) -> None:
    """Refuse deep nesting before anything recursive sees it, and long lists before they are read to their end."""
    level = 0
    for number, event in enumerate(yaml.parse(text)):
        if number > 2 * MOST_ENTRIES:
            raise ValueError(f"it has more than {MOST_ENTRIES} entries")
        level += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if level > MOST_LEVELS:
            raise ValueError(f"it is nested more than {MOST_LEVELS} levels deep")


def _walk(node: Node, path: Path, lines: dict[Path, int], mistakes: list[Mistake], above: frozenset[int]) -> None:
    if id(node) in above:
        raise ValueError("an alias contains itself")
    if len(lines) > MOST_ENTRIES:
        raise ValueError(f"it has more than {MOST_ENTRIES} entries, with what aliases repeat")
    above = above | {id(node)}
    if isinstance(node, SequenceNode):
        for number, item in enumerate(node.value):
            lines[(*path, number)] = item.start_mark.line + 1
            _walk(item, (*path, number), lines, mistakes, above)
    elif isinstance(node, MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                if not str(key.tag).endswith(":merge"):
                    mistakes.append(Mistake(path, "A key must be text.", line))
                continue
            inner = (*path, key.value)
            if key.value in seen:
                first = seen[key.value]
                mistakes.append(Mistake(inner, f"`{show_path(inner)}` is there twice, first on line {first}.", line))
            seen[key.value] = line
            lines[inner] = line
            _walk(value, inner, lines, mistakes, above)
