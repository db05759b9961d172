"""R14: requests that are none, or nearly."""

from __future__ import annotations

import random
import re
import socket
import time
from collections import Counter
from typing import Final

from benchmarks.faults.rows import Figures
from benchmarks.faults.scraped import HOST, Serving, serving, settled

ID: Final = "R14"
TITLE: Final = "Requests that are none"
HOW: Final = (
    "10,000 requests to the scrape endpoint, made from good ones by a random generator with a fixed seed: bytes changed, cut "
    "out, doubled and put in from a list of what parsers stumble over; one after another, each on a connection of its own. "
    "Failed: answers with 500 or above, but for 501, which HTTP has for a transfer coding that is not known. Left: threads and "
    "open files more than before, 15 s later at most. Unanswered: nothing came within 15 s"
)
PASS: Final = "none failed, left or unanswered; a scrape is good afterwards"
SEED: Final = 20261121
TIMEOUT: Final = 15.0

PROGRAM: Final = """
import time
from benchmarks.faults import scraped
scraped.serve()
from opentelemetry import metrics
counter = metrics.get_meter("faults").create_counter("work")
for index in range(50):
    counter.add(1, {"key": str(index)})
print("ready", flush=True)
while True:
    time.sleep(60)
"""

_OPEN_METRICS: Final = (
    b"accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1\r\n"
)
GOOD: Final = (
    b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nhost: x\r\n" + _OPEN_METRICS + b"accept-encoding: gzip\r\nconnection: close\r\n\r\n",
    b"GET /metrics?name[]=work_total&x=%20 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    b"GET /metrics/json HTTP/1.1\r\nhost: x\r\nauthorization: Basic YTpi\r\nconnection: close\r\n\r\n",
    b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HEAD /metrics HTTP/1.0\r\n\r\n",
)
WORDS: Final = (
    *(
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\0",
        b" ",
        b"\t",
        b":",
        b";",
        b",",
        b"?",
        b"#",
        b"%",
        b"%zz",
        b"%00",
        b"\xff",
    ),
    *(
        b"\xf0\x9f\x92\xa9",
        b"\xed\xa0\x80",
        b"../",
        b"//",
        b"\\",
        b"*",
        b"http://",
        b"http://[::1",
        b"HTTP/1.1",
        b"HTTP/9.9",
    ),
    *(
        b"q=",
        b"q=nan",
        b"q=-1",
        b"q=1e999",
        b"version=abc",
        b"version=",
        b"version=0.0.4",
        b"escaping=x",
        b"escaping=allow-utf-8",
    ),
    *(b"application/openmetrics-text", b"gzip", b"accept:", b"name[]=", b"name[]=%ff", b"content-length: -1\r\n"),
    *(b"content-length: 99999999999999999999\r\n", b"transfer-encoding: chunked\r\n", b"transfer-encoding: gzip\r\n"),
    *(
        b"expect: 100-continue\r\n",
        b"upgrade: websocket\r\n",
        b"range: bytes=0-1\r\n",
        b"host: y\r\n",
        b"GET ",
        b"PRI * ",
    ),
    *(b"fffffffffffffffff\r\n", b"A" * 300, b"x: y\r\n" * 150, b"B" * 20_000),
)


def mutated(chance: random.Random) -> bytes:
    """Return a good request that has been tampered with."""
    content = bytearray(chance.choice(GOOD))
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        at = chance.randrange(len(content) + 1)
        to = min(len(content), at + chance.choice((1, 1, 2, 5, 20)))
        kind = chance.randrange(6)
        if kind == 0:
            content[at:to] = chance.randbytes(to - at)
        elif kind == 1:
            del content[at:to]
        elif kind == 2:  # noqa: PLR2004
            content[at:at] = content[at:to]
        elif kind == 3 and at < len(content):  # noqa: PLR2004
            content[at] ^= 1 << chance.randrange(8)
        elif kind == 4 and chance.random() < 0.2:  # noqa: PLR2004
            del content[at:]
        else:
            content[at:at] = chance.choice(WORDS)
    return bytes(content)


def run(subject: str, quick: bool) -> Figures:
    """Measure."""
    number = 1000 if quick else 10_000
    chance = random.Random(SEED)
    with serving(subject, PROGRAM) as served:
        for path in ("/metrics", "/metrics", "/health/live"):
            served.scrape(path)
        time.sleep(1)  # what began with the first answers has begun
        threads, files = served.status("Threads"), served.files()
        answers = Counter(_answer(served, mutated(chance)) for _ in range(number))
        settled(lambda: served.status("Threads") <= threads and served.files() <= files)
        left = max(0, served.status("Threads") - threads), max(0, served.files() - files)
        good = served.scrape()
    failed = sum(count for status, count in answers.items() if status.startswith("5") and status != "501")
    return {
        "requests": number,
        "failed": failed,
        "501": answers["501"],
        "answered 200": answers["200"],
        "refused (4xx)": sum(count for status, count in answers.items() if status.startswith("4")),
        "closed without an answer": answers["closed"],
        "unanswered": answers["unanswered"],
        "threads left": left[0],
        "files left": left[1],
        "a scrape is good": "yes" if good[0] == 200 and b"work_total" in good[1] else "no",  # noqa: PLR2004
    }


def _answer(served: Serving, content: bytes) -> str:
    """Return the highest status of the answers to some bytes, or what came in its place."""
    answer = b""
    try:
        with socket.create_connection((HOST, served.port), timeout=TIMEOUT) as connection:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(1 << 16):
                answer += part
    except TimeoutError:
        return "unanswered"
    except OSError:  # reset, with or without an answer
        pass
    return max((one.decode() for one in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)), default="closed")


def reached(figures: Figures) -> bool:
    """Whether it passes."""
    none = ("failed", "unanswered", "threads left", "files left")
    return all(figures[key] == 0 for key in none) and figures["a scrape is good"] == "yes"
