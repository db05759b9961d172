"""The command that is to be started: where it is, and whether our instrumentation can come along.

Room: `cli`. What comes along is Python's ``sitecustomize``, found by ``PYTHONPATH``: it needs the Python that we are
installed in, and one that reads its environment.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

_PYTHON: Final = re.compile(r"(python|pypy)[\d.]*(\.exe)?")
_SHEBANG_BYTES: Final = 512
_TAKES_VALUE: Final = frozenset("cmWX")
"""Python's options after which another word, or the program, comes."""
_IGNORES: Final = {"E": "-E", "I": "-I", "S": "-S"}


class CommandError(Exception):
    """The command cannot be started.

    Args:
        message: Why, for the user.
        code: What a shell would exit with.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def find(command: str) -> str:
    """Return the path of the program that ``command`` names.

    Raises:
        CommandError: there is none (127), or it may not be executed (126).
    """
    found = shutil.which(command)
    if found is not None:
        return found
    if os.path.dirname(command):  # noqa: PTH120  # `./app` and `app` differ, and are one Path
        if Path(command).is_dir():
            raise CommandError(f"{command} is a directory and no command", 126)
        if Path(command).exists():
            hint = f"; a Python program is started with: python {command}" if command.endswith(".py") else ""
            raise CommandError(f"{command} may not be executed{hint}", 126)
        raise CommandError(f"there is no {command}", 127)
    if Path(command).is_file():
        start = f"python {command}" if command.endswith(".py") else f"./{command}"
        raise CommandError(f"{command} is a file here and no command on PATH; start it with: {start}", 127)
    raise CommandError(f"there is no command {command} on PATH; is it installed in this environment?", 127)


def doubts(executable: str, arguments: Sequence[str]) -> Iterator[str]:
    """Say why the application might start without our instrumentation."""
    interpreter = _interpreter(executable)
    if interpreter is None:
        return
    if _prefix(interpreter) != os.path.realpath(sys.prefix):
        yield (
            f"{os.path.basename(executable)} runs in another Python ({interpreter}) than otel-llm-router "  # noqa: PTH119
            f"({sys.executable}); where otel-llm-router is not installed there too, nothing is instrumented"
        )
    if _is_python(executable):
        ignored = _ignoring(arguments)
        if ignored:
            yield f"python {ignored} leaves out what starts the instrumentation: nothing is instrumented"


def _is_python(path: str) -> bool:
    return _PYTHON.fullmatch(os.path.basename(path)) is not None  # noqa: PTH119


def _interpreter(executable: str) -> str | None:
    """Return the Python that a program is, or that its first line names; None of anything else."""
    if _is_python(executable):
        return executable
    try:
        with Path(executable).open("rb") as file:
            head = file.read(_SHEBANG_BYTES)
    except OSError:
        return None
    if not head.startswith(b"#!"):
        return None
    words = head[2:].split(b"\n", 1)[0].decode("utf-8", "replace").split()
    if words and os.path.basename(words[0]) == "env":  # noqa: PTH119
        words = [shutil.which(word) or word for word in words[1:] if not word.startswith("-")]
    return words[0] if words and _is_python(words[0]) else None


def _prefix(interpreter: str) -> str:
    """Return what an interpreter calls ``sys.prefix``: the directory above its own, links in its name unfollowed."""
    return os.path.realpath(os.path.dirname(os.path.dirname(os.path.abspath(interpreter))))  # noqa: PTH100, PTH120


def _ignoring(arguments: Sequence[str]) -> str:
    """Return the option with which Python does not read its environment or ``sitecustomize``, if there is one."""
    for word in arguments:
        if not word.startswith("-") or word.startswith("--"):
            return ""
        for letter in word[1:]:
            if letter in _IGNORES:
                return _IGNORES[letter]
            if letter in _TAKES_VALUE:
                return ""
    return ""
