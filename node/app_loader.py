"""Find the tasks that a node offers: import the apps that it was given, and collect what `@moorline.task` made.

A user's code lives beside ours in one process, and some of our packages have common names. So its folder goes to the
end of ``sys.path``, never before ours; and a module that would hide one of ours, or be hidden by it, is refused.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeAlias

from moorline.task import Task
from node.decisions.conclusions import text_of
from node.errors import (
    AppBrokenError,
    AppNameTakenError,
    AppNotFoundError,
    DuplicateTaskError,
    NoTasksError,
    TooManyTasksError,
)
from protocol.limits import HANDLERS_MAX

AnyTask: TypeAlias = Task[..., Any]

# `examples` is ours too, and made to be loaded.
OURS: Final = frozenset({"dashboards", "hub", "moorline", "node", "protocol"})


def load_apps(apps: Iterable[str]) -> dict[str, AnyTask]:
    """Import each app and give all tasks by name.

    Args:
        apps: ``package.module``, or the path of a file that ends in ``.py``.

    Raises:
        AppError: a leaf says which app, what is wrong with it, and what to do.
    """
    found: dict[str, AnyTask] = {}
    for app in apps:
        module = _import_file(Path(app)) if app.endswith(".py") else _import_module(app)
        tasks = [value for value in vars(module).values() if isinstance(value, Task)]
        if not tasks:
            raise NoTasksError(f"app {app} has no tasks; decorate its functions with @moorline.task")
        for task in tasks:
            other = found.setdefault(task.name, task)
            # `task.options(...)` makes a copy for submits; its handler is the same.
            if other.function is not task.function:
                raise DuplicateTaskError(
                    f"two tasks are named {task.name}: {_place(other)} and {_place(task)}; "
                    "give one of them another name with @task(name=...)"
                )
    if len(found) > HANDLERS_MAX:
        raise TooManyTasksError(
            f"the apps have {len(found)} tasks, and a node registers at most {HANDLERS_MAX}; use two nodes"
        )
    return found


def _import_module(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise AppNotFoundError(f"app {name!r} is neither package.module nor the path of a file that ends in .py")
    top, _, _ = name.partition(".")
    if top in OURS:
        raise AppNameTakenError(f"app {name} has a name of Moorline's own ({top}); rename your module")
    _append_path(Path.cwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise AppNotFoundError(
                f"there is no module {error.name} for app {name}; looked in {Path.cwd()} and the installed packages"
            ) from None
        raise _broken(name, error) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _broken(name, error) from error


def _import_file(path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise AppNotFoundError(f"there is no file {path}; give the path of a Python file, or package.module")
    name = path.stem
    if name in OURS or name == "examples":
        raise AppNameTakenError(f"the file {path} has the name of a package of Moorline's own; rename it")
    loaded = sys.modules.get(name)
    if loaded is not None and _file_of(loaded) == path:
        return loaded
    _append_path(path.parent)
    spec = importlib.util.find_spec(name) if loaded is None else loaded.__spec__
    if spec is None or spec.origin is None or Path(spec.origin).resolve() != path:
        # Pickling, and the processes that run isolated tasks, find functions by their module's name.
        where = spec.origin if spec is not None and spec.origin is not None else "the standard library"
        raise AppNameTakenError(f"the file {path} has the name of another module ({where}); rename it")
    try:
        return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _broken(str(path), error) from error


def _file_of(module: ModuleType) -> Path | None:
    return Path(module.__file__).resolve() if module.__file__ else None


def _append_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _broken(app: str, error: BaseException) -> AppBrokenError:
    # A module that calls `sys.exit` would end the node without a word, and with 0 as if all were well.
    return AppBrokenError(f"app {app} cannot be imported: {type(error).__name__}: {text_of(error)}")


def _place(task: AnyTask) -> str:
    code = getattr(task.function, "__code__", None)
    where = f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
    return f"{task.function.__module__}.{task.function.__qualname__}{where}"
