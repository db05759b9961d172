"""R13: who may read the scrape endpoint."""

from __future__ import annotations

import math
import ssl
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from benchmarks.faults import bypasses
from benchmarks.faults.certificates import certificate
from benchmarks.faults.rows import Figures
from benchmarks.faults.scraped import serving, settled

ID: Final = "R13"
TITLE: Final = "Who may read the scrape endpoint"
HOW: Final = (
    "Over 200 ways around each of basic authentication, a bearer token and client certificates: paths, verbs, HTTP/0.9, "
    "requests behind requests, bent and repeated Authorization, pairs that poison a cache as in CVE-2022-46146, empty users, "
    "NUL, headers of 64 KB, TLS 1.0 and no certificate. Seen: answers that hold more than a word of liveness. A known and an "
    "unknown user, both with a wrong password: by the time of the answer, as a Mann-Whitney test tells them apart. Guesses: "
    "wrong passwords that are looked at in a second, of as many as can be sent. The stock exporter has no authentication"
)
PASS: Final = (
    "nothing seen, the right one always answered; p above 0.01; 10 guesses a second; changed secrets hold within 3 s, and the "
    "old ones no longer"
)

PROGRAM: Final = """
import time
from benchmarks.faults import scraped
scraped.serve()
from opentelemetry import metrics
metrics.get_meter("faults").create_counter("faults_secret").add(1)
print("ready", flush=True)
while True:
    time.sleep(60)
"""

TOKEN: Final = "S3cret-token"  # of a process that lives for seconds
RIGHT: Final = "prometheus:right"
STATUS: Final = slice(9, 12)
OPTION: Final = "OTEL_LLM_ROUTER_SCRAPE_"


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    if subject == "stock":
        with serving(subject, PROGRAM) as served:
            tries = list(bypasses.requests(bypasses.basic(RIGHT.encode())))
            seen = sum(bypasses.shows(bypasses.asked(served.port, one)) for one in tries)
        return {"no authentication: seen": f"{seen} of {len(tries)}"}
    with tempfile.TemporaryDirectory() as directory:
        figures = _none()
        figures |= _bearer(Path(directory))
        figures |= _basic(Path(directory), 30 if quick else 150)
        figures |= _certificates(Path(directory))
    return figures


def _none() -> Figures:
    with serving("ours", PROGRAM) as served:
        return {
            "no authentication: right answered": _yes(
                bypasses.shows(bypasses.asked(served.port, bypasses.with_token("")))
            )
        }


def _bearer(directory: Path) -> Figures:
    path = directory / "token"
    path.write_text(TOKEN)
    with serving("ours", PROGRAM, **{f"{OPTION}TOKEN_FILE": str(path)}) as served:
        figures = _seen("bearer", served.port, bypasses.requests(f"Bearer {TOKEN}"))
        right = bypasses.with_token(TOKEN)
        figures["bearer: right answered"] = _yes(bypasses.shows(bypasses.asked(served.port, right)))
        path.write_text("another")
        figures["bearer: changed within 3 s"] = _changed(served.port, bypasses.with_token("another"), right)
        figures["bearer: nearly right and wrong told apart, p"] = _told_apart(
            served.port, [bypasses.with_token("anotheR"), bypasses.with_token("zzzzzzz")], 300
        )
    return figures


def _basic(directory: Path, samples: int) -> Figures:
    from otel_llm_router.export import _passwords  # noqa: PLC0415

    path = directory / "users"
    stored = _passwords.hashed("right")
    path.write_text(f"prometheus:{stored}\n")
    with serving("ours", PROGRAM, **{f"{OPTION}USERS_FILE": str(path)}) as served:
        port = served.port
        poisoned = [bypasses.with_credentials(one) for pair in bypasses.poison("prometheus", stored) for one in pair]
        figures = _seen("basic", port, [*bypasses.requests(bypasses.basic(RIGHT.encode())), *poisoned])
        right = bypasses.with_credentials(RIGHT)
        figures["basic: right answered"] = _yes(_shown_in_the_end(port, right))
        figures["basic: guesses looked at (1/s)"] = _guesses(port)
        figures["basic: right answered meanwhile"] = _yes(bypasses.shows(bypasses.asked(port, right)))
        users = [bypasses.with_credentials(f"{name}:wrong") for name in ("prometheus", "promotheus")]
        figures["basic: known and unknown user told apart, p"] = _told_apart(port, users, samples)
        path.write_text(f"prometheus:{_passwords.hashed('changed')}\n")
        figures["basic: changed within 3 s"] = _changed(port, bypasses.with_credentials("prometheus:changed"), right)
    return figures


def _certificates(directory: Path) -> Figures:
    own, client, stranger = (certificate(directory, name) for name in ("own", "client", "stranger"))
    options = {f"{OPTION}TLS_CERT": own[0], f"{OPTION}TLS_KEY": own[1], f"{OPTION}TLS_CLIENT_CA": client[0]}
    with serving("ours", PROGRAM, **options) as served:
        ask = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        old = _context(own[0], client)
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1
        contexts = (None, _context(own[0]), _context(own[0], stranger), _context(own[0], own), old)
        tries = list(bypasses.requests(f"Bearer {TOKEN}"))
        seen = sum(bypasses.shows(bypasses.asked(served.port, ask, context)) for context in contexts)
        seen += sum(bypasses.shows(bypasses.asked(served.port, one)) for one in tries)
        seen += sum(bypasses.shows(bypasses.asked(served.port, one, contexts[2])) for one in tries)
        return {
            "certificates: seen": f"{seen} of {len(contexts) + 2 * len(tries)}",
            "certificates: right answered": _yes(
                bypasses.shows(bypasses.asked(served.port, ask, _context(own[0], client)))
            ),
        }


def _context(trusted: str, own: tuple[str, str] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=trusted)
    if own is not None:
        context.load_cert_chain(*own)
    return context


def _patiently(port: int, content: bytes) -> bytes:
    """Ask until it is not put off: a try that was not looked at says nothing."""
    while (answer := bypasses.asked(port, content))[STATUS] == b"429":
        time.sleep(0.1)
    return answer


def _seen(name: str, port: int, tries: Iterable[bytes]) -> Figures:
    shown = [bypasses.shows(_patiently(port, one)) for one in tries]
    return {f"{name}: seen": f"{sum(shown)} of {len(shown)}"}


def _shown_in_the_end(port: int, content: bytes) -> bool:
    return bypasses.shows(_patiently(port, content))


def _changed(port: int, new: bytes, old: bytes) -> str:
    holds = settled(lambda: bypasses.shows(bypasses.asked(port, new)), 3)
    return _yes(holds and not bypasses.shows(_patiently(port, old)))


def _guesses(port: int) -> int:
    """Return how many wrong passwords are looked at in a second, of as many as one client can send in five."""
    time.sleep(1.1)
    began, looked = time.monotonic(), 0
    while (now := time.monotonic()) < began + 5:
        answer = bypasses.asked(port, bypasses.with_credentials(f"prometheus:{now}"))
        looked += answer[STATUS] == b"401"
    return round(looked / 5)


def _told_apart(port: int, tries: list[bytes], samples: int) -> float:
    """Return the chance that times as different as these come from one distribution."""
    times: list[list[float]] = [[], []]
    for number in range(samples):
        for which in (0, 1) if number % 2 else (1, 0):
            while True:
                began = time.perf_counter()
                answer = bypasses.asked(port, tries[which])
                took = time.perf_counter() - began
                if answer[STATUS] != b"429":
                    break
                time.sleep(0.05)
            times[which].append(took)
    return round(mann_whitney(*times), 3)


def mann_whitney(first: list[float], second: list[float]) -> float:
    """Return the two-sided p of the Mann-Whitney test, by its normal approximation."""
    rank = {value: place for place, value in enumerate(sorted([*first, *second]), 1)}
    n, m = len(first), len(second)
    u = sum(rank[value] for value in first) - n * (n + 1) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return 2 * (1 - statistics.NormalDist().cdf(abs(z)))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    if len(figures) == 1:  # nobody is asked
        return False
    seen = all(str(value).startswith("0 of ") for key, value in figures.items() if key.endswith(": seen"))
    right = all(value == "yes" for key, value in figures.items() if "answered" in key or "changed" in key)
    apart = all(float(value) > 0.01 for key, value in figures.items() if key.endswith(", p"))  # noqa: PLR2004
    return seen and right and apart and float(figures["basic: guesses looked at (1/s)"]) <= 10  # noqa: PLR2004
