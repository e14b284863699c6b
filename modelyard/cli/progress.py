"""Bars for long work, on stderr, where a person watches."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STAGES = {"upload": "uploading", "check": "examining", "download": "downloading", "copy": "copying", "job": "working"}


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Callable[[str, float, str], None]]:
    """Give a client's `progress`: one bar a stage; nothing is drawn when `quiet` or without a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda stage, part, message: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:11}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[message]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, part: float, message: str) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(STAGES.get(stage, stage), total=1.0, message="")
            bars.update(tasks[stage], completed=part, message=message)

        yield show
