"""Runs of the toy that start at once: forked from a process that has imported everything already."""

import multiprocessing
import os
from collections.abc import Mapping

MODULES = ("hofstadter.cli.main", "hofstadter.cli._start", "hofstadter.sweep.run", "tests.sweep.toy_task")


def run(arguments: list[str], variables: Mapping[str, str]) -> None:
    """The toy's command line in this process."""
    from tests.sweep import toy_task

    os.environ.update(variables)
    toy_task.main(arguments)


def start(arguments: list[str], **variables: object) -> multiprocessing.process.BaseProcess:
    """Start the toy's command line in another process, which a test may kill."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(MODULES))
    process = context.Process(target=run, args=(arguments, {key: str(value) for key, value in variables.items()}))
    process.start()
    return process
