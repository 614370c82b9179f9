"""The table of the benchmarks, for a terminal; as a script, a stored one's headlines as Markdown for the README.

python benchmarks/report.py FILE
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from measure import Line
from rich.console import Console
from rich.table import Table


def print_table(surroundings: dict[str, Any], lines: list[Line], peak: float, bandwidth: float) -> None:
    # Piped output has no width of its own, and a table cut to 80 columns cannot be read.
    console = Console(width=max(shutil.get_terminal_size((150, 40)).columns, 130))
    versions = ", ".join(f"{name} {version}" for name, version in surroundings["versions"].items())
    console.print(
        f"{surroundings['device']}, BLAS threads of the rival: {surroundings['blas_threads_of_the_rival']}, "
        f"Python {surroundings['python']}, {versions}, {surroundings['date']}; "
        f"matrix product {peak / 1e9:.3g} Gflop/s, copy {bandwidth / 1e9:.3g} GB/s",
        highlight=False,
    )
    table = Table(show_lines=False)
    for name in (
        "work",
        "size",
        "first call",
        "compiling",
        "ours",
        "rival",
        "its time",
        "ratio",
        "goal",
        "error",
        "speed",
    ):
        table.add_column(name, justify="left" if name in ("work", "size", "rival") else "right")
    for line in lines:
        table.add_row(
            line.work,
            line.size,
            _seconds(line.first),
            _seconds(line.compile),
            _seconds(line.ours),
            line.rival,
            _seconds(line.theirs),
            "" if line.ratio is None else f"{line.ratio:.2f}",
            "" if line.target is None else f"{line.target:g}",
            "" if line.error is None else f"{line.error:.1g}",
            _speed(line, peak, bandwidth),
        )
    console.print(table)
    for line in lines:
        if line.note:
            console.print(f"{line.work}, {line.size}: {line.note}.", highlight=False)


def _speed(line: Line, peak: float, bandwidth: float) -> str:
    """Rates of operations and of bytes, each with its part of what the machine can do."""
    parts = []
    if line.flops is not None:
        parts.append(f"{line.flops / line.ours / 1e9:.3g} Gflop/s, {line.flops / line.ours / peak:.0%}")
    if line.traffic is not None:
        parts.append(f"{line.traffic / line.ours / 1e9:.3g} GB/s, {line.traffic / line.ours / bandwidth:.0%}")
    return "; ".join(parts)


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.1f} ms"


def print_markdown(stored: dict[str, Any]) -> None:
    print("| work | size | ours | the other | its time | ratio |")
    print("|---|---|--:|---|--:|--:|")
    for line in stored["lines"]:
        if line["headline"]:
            ratio = "" if line["ratio"] is None else f"{line['ratio']:.{2 if line['ratio'] < 100 else 3}g}"
            times = _seconds(line["ours"]), _seconds(line["theirs"])
            print(f"| {line['work']} | {line['size']} | {times[0]} | {line['rival']} | {times[1]} | {ratio} |")


if __name__ == "__main__":
    print_markdown(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
