"""Whether ratios are still those of a stored table: the regression check of `run.py --check`."""

from collections.abc import Iterable
from typing import Any

from measure import Line

# On a machine that does other work ratios of the same code were seen to differ by a third; a change of algorithm or a
# lost optimization costs more than half.
LEAST_PART = 0.5


def regressions(stored: dict[str, Any], lines: Iterable[Line]) -> tuple[list[str], int]:
    """Sentences about lines whose ratio fell below `LEAST_PART` of the stored one, and how many were compared.

    Args:
        stored: A table written by `run.py --json`.
        lines: Lines measured now. Those without a ratio, or that the table lacks, are left out.
    """
    before = {(row["work"], row["size"], row["rival"]): row["ratio"] for row in stored["lines"]}
    sentences, compared = [], 0
    for line in lines:
        ratio = before.get((line.work, line.size, line.rival))
        if ratio is None or line.ratio is None:
            continue
        compared += 1
        if line.ratio < LEAST_PART * ratio:
            where = f"{line.work}, {line.size}, against {line.rival}"
            sentences.append(f"{where}: ratio {line.ratio:.2f}, stored {ratio:.2f}.")
    return sentences, compared
