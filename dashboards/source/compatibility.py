"""``docs/compatibility.md``: the versions that the tests run with, as the locks and the test command say.

Rows of ``scripts/test`` and ``requirements/*.txt`` come in, a page goes out, so that it cannot say what is not tested.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).resolve().parents[2]

_PACKAGES: Final = (
    *(
        "opentelemetry-api",
        "opentelemetry-sdk",
        "opentelemetry-instrumentation",
        "litellm",
        "openai",
        "httpx",
        "httpx2",
    ),
    *("aiohttp", "requests", "fastapi", "starlette", "uvicorn", "wrapt", "prometheus-client", "packaging"),
)

_OWN_LOCK: Final = "dev.txt"
_OWN_PYTHON: Final = re.compile(r"^if ! python=\$\(find_python (\d+)\)", re.MULTILINE)
_ROW: Final = re.compile(r"\brow \S+ (\S+\.txt) (\d+) --\S+ ((?:[^\n\\]|\\\n)*)")
_TESTS: Final = {
    '"${floor[@]}"': "all that depends on what is installed",
    '"${litellm[@]}"': "LiteLLM's Router",
    "tests/instrumentation/wire": "the wire",
    "tests/telemetry": "the telemetry API",
    "tests/aggregation": "aggregation",
}
"""What the arguments of a row of ``scripts/test`` stand for."""

_HEAD: Final = """\
# Compatibility: what is tested together

Generated from `scripts/test` and the locks in `requirements/`; `scripts/generate --check` fails when it is out of date. Each
column is an environment in which the tests run on every change. `floor.txt` has the oldest of everything that `pyproject.toml`
names, and of what is watched besides: the HTTP clients httpx and aiohttp ([the wire](wire.md)), FastAPI, and OpenAI's SDK.
"""

_TAIL: Final = """\
Between two columns everything is expected to work; `otel-llm-router doctor` says when a version is outside of them. The SDKs of
OpenAI and others are not required: what is watched is the HTTP client beneath. Other instrumentations of the same calls are tested
in an environment of their own, `requirements/foreign.txt`; see [wire.md](wire.md#one-owner-for-each-call).
"""


def text(root: Path = ROOT) -> str:
    """Return the page."""
    columns = list(_columns((root / "scripts" / "test").read_text(encoding="utf-8")))
    locks = [_versions(root / "requirements" / lock, f"3.{minor}") for lock, minor, _ in columns]
    lines = [_HEAD]
    lines.append("| | " + " | ".join(f"`{lock}`" for lock, _, _ in columns) + " |")
    lines.append("| --- |" + " --- |" * len(columns))
    lines.append("| Python | " + " | ".join(f"3.{minor}" for _, minor, _ in columns) + " |")
    lines += [
        f"| {package} | " + " | ".join(lock.get(package, "not there") for lock in locks) + " |" for package in _PACKAGES
    ]
    lines.append("| tests of | " + " | ".join(tests for _, _, tests in columns) + " |")
    return "\n".join([*lines, "", _TAIL])


def _columns(script: str) -> Iterator[tuple[str, int, str]]:
    """Return lock, minor version of Python and tests of each environment.

    Raises:
        ValueError: ``scripts/test`` has another form.
    """
    rows = _ROW.findall(script)
    own = _OWN_PYTHON.search(script)
    if not rows or own is None:
        raise ValueError("scripts/test has no rows of the form that docs/compatibility.md is made from")
    for lock, minor, arguments in rows:
        yield lock, int(minor), ", ".join(said for argument, said in _TESTS.items() if argument in arguments)
    yield _OWN_LOCK, int(own[1]), "everything"


def _versions(lock: Path, python: str) -> Mapping[str, str]:
    """Return the versions that a lock has for a version of Python."""
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    found: dict[str, str] = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        if line[:1].isalpha():
            one = Requirement(line.rstrip(" \\"))
            if one.marker is None or one.marker.evaluate(environment):
                found[one.name] = str(one.specifier).removeprefix("==")
    return found
