"""OpenSearch of jars: in the cache, or resolved from Maven's registry and held against a list of checksums.

Room: `cli`. A JDK, Maven and `collector-config/engines/opensearch` come in; a directory with jars and one class goes out.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import IO, Final

from otel_llm_router._resources import resource_dir
from otel_llm_router.cli._dirs import cache_dir
from otel_llm_router.cli._file_lock import exclusive
from otel_llm_router.cli._progress import Progress
from otel_llm_router.cli.stack._engine import OPENSEARCH, EngineMissingError, Installed

_MAIN: Final = "OpenSearchNode"
_SOURCES: Final = ("pom.xml", "checksums.sha256", f"{_MAIN}.java", "log4j2.properties")
_OLDEST_JAVA: Final = 11
_LAST_LINES: Final = 10
_SECONDS: Final = 900.0
_HEAP: Final = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC")
# A heap that is full is the end of the process, and not a node that answers nothing.
_JAVA: Final = (
    *_HEAP,
    "-XX:+ExitOnOutOfMemoryError",
    "-Dlog4j2.disable.jmx=true",
    "-Dopensearch.networkaddress.cache.ttl=60",
)
_HOW_TO_GET: Final = (
    "It needs a JDK (11 or newer) and Maven: `apt install default-jdk-headless maven`, `brew install openjdk maven`. Or "
    "leave it out with --only collector,prometheus: logs then go to files."
)


def find_opensearch(progress: Progress, *, build: bool = True) -> Installed:
    """Find OpenSearch in the cache, or resolve it.

    One on PATH does not count: the Collector's exporter needs the header that our class adds to answers.

    Args:
        progress: Told what is resolved.
        build: Whether it may be resolved.

    Raises:
        EngineMissingError: It is not here, and cannot be resolved.
    """
    home = _home()
    if not home.is_dir():
        if not build:
            raise EngineMissingError(f"OpenSearch is not in the cache. {_HOW_TO_GET}")
        try:
            with exclusive(
                home.with_suffix(".lock"),
                on_wait=lambda: progress.note("another process resolves OpenSearch; waiting for it"),
            ):
                if not home.is_dir():
                    _resolve(home, progress)
        except OSError as error:
            raise EngineMissingError(
                f"OpenSearch cannot be resolved: {error}. LLM_ROUTER_CACHE_DIR names another directory than {cache_dir()}."
            ) from error
    _tool("java")
    return Installed(home, _version(), built=True)


def opensearch_command(installed: Installed, data: Path, port: int) -> tuple[str, ...]:
    """Command that runs one node on loopback.

    Args:
        installed: From `find_opensearch`.
        data: Directory for its data.
        port: For HTTP.
    """
    home = installed.program
    separator = ";" if sys.platform == "win32" else ":"
    classes = separator.join((str(home / "classes"), str(home / "lib" / "*")))
    return (_tool("java"), *_JAVA, "-cp", classes, _MAIN, str(data), str(port))


def _home() -> Path:
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update((_source_dir() / name).read_bytes())
    return cache_dir() / "engines" / OPENSEARCH / digest.hexdigest()[:16]


def _source_dir() -> Path:
    return resource_dir("collector-config") / "engines" / OPENSEARCH


def _version() -> str:
    match = re.search(r"<opensearch\.version>(.+?)<", (_source_dir() / "pom.xml").read_text(encoding="utf-8"))
    assert match is not None  # noqa: S101 - it is the one thing the file is for
    return match[1]


def _resolve(home: Path, progress: Progress) -> None:
    maven, compiler = _tool("mvn"), _tool("javac")
    _check_java(compiler)
    home.parent.mkdir(parents=True, exist_ok=True)
    log = home.with_suffix(".log")
    unfinished = home.with_name(f".{uuid.uuid4().hex}")
    try:
        progress.note(f"resolving OpenSearch {_version()} with {maven}, once; into {home}")
        shutil.copytree(_source_dir(), unfinished)
        libraries, classes = unfinished / "lib", unfinished / "classes"
        with log.open("w", encoding="utf-8") as out:
            with progress.phase("downloading jars") as detail:
                # -C: a file that is not what its registry says of it is an error.
                fetch = ("-B", "-ntp", "-C", "dependency:copy-dependencies", "-DincludeScope=runtime")
                _run([maven, *fetch, f"-DoutputDirectory={libraries}"], unfinished, out, log)
                detail(f"{_verify(libraries)} jars")
            with progress.phase("compiling"):
                _run([compiler, "-d", str(classes), "-cp", str(libraries / "*"), f"{_MAIN}.java"], unfinished, out, log)
                shutil.copy(unfinished / "log4j2.properties", classes)
        unfinished.replace(home)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _verify(libraries: Path) -> int:
    """Hold the jars against the list of all that belong there.

    Raises:
        EngineMissingError: One is another than when the list was made, is missing, or is not on it.
    """
    lines = (_source_dir() / "checksums.sha256").read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split() for line in lines)}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in libraries.iterdir()}
    wrong = sorted(name for name in listed.keys() | found.keys() if listed.get(name) != found.get(name))
    if wrong:
        raise EngineMissingError(
            f"OpenSearch cannot be resolved: these jars are not those of checksums.sha256: {', '.join(wrong)}"
        )
    return len(found)


def _run(command: list[str], directory: Path, out: IO[str], log: Path) -> None:
    try:
        status = subprocess.run(  # noqa: S603
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired as error:
        raise EngineMissingError(f"OpenSearch cannot be resolved: {error}. The whole output is in {log}") from error
    if status != 0:
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        wrong = [line for line in lines if "ERROR" in line or "error" in line] or lines
        last = "\n".join(f"  {line}" for line in wrong[:_LAST_LINES])
        raise EngineMissingError(
            f"OpenSearch cannot be resolved: {Path(command[0]).name} exited with {status}:\n{last}\n"
            f"The jars come from the registry that Maven is set up for. The whole output is in {log}"
        )


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise EngineMissingError(f"OpenSearch cannot be run: there is no {name} on PATH. {_HOW_TO_GET}")
    return found


def _check_java(compiler: str) -> None:
    answer = subprocess.run([compiler, "-version"], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    match = re.search(r"javac (?:1\.)?(\d+)", answer.stdout + answer.stderr)
    if match is None or int(match[1]) < _OLDEST_JAVA:
        stated = (answer.stdout + answer.stderr).strip() or f"exit code {answer.returncode}"
        raise EngineMissingError(f"OpenSearch cannot be built: {compiler} says {stated}. {_HOW_TO_GET}")
