"""What the commands have in common: a folder of their own, errors that are one message, an exit status for Ctrl-C."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import click

# As shells say it: 128 and the number of SIGINT.
INTERRUPTED: Final = 130


class WorkFolder:
    """A folder that is there between enter and exit, and stays if ``is_kept`` by then; stderr then says where it is."""

    def __init__(self, prefix: str, *, is_kept: bool) -> None:
        self.path: Final = Path(tempfile.mkdtemp(prefix=prefix))
        self.is_kept = is_kept

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.is_kept:
            click.echo(f"state, logs and the truth are kept in {self.path}", err=True)
        else:
            shutil.rmtree(self.path, ignore_errors=True)


@contextlib.contextmanager
def one_message(*expected: type[Exception]) -> Iterator[None]:
    """Turn errors that no bug of ours has caused into one message, also where they come in groups.

    Raises:
        click.ClickException: one of the expected errors was raised; the first, if they were several.
    """
    try:
        yield
    except expected as error:
        raise click.ClickException(str(error)) from None
    except ExceptionGroup as group:
        found, others = group.split(expected)
        if found is None or others is not None:
            raise
        raise click.ClickException(str(_first(found))) from None


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
