"""A server that speaks the providers' protocols: it answers each path with what the test put there.

The answers are written out as the providers send them; the server keeps what it received and what it sent.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Answer:
    """One answer.

    Args:
        body: Its bytes in pieces.
        status: HTTP status.
        headers: Headers beside the content type.
        content_type: Content type.
        encoding: Content encoding, done here.
        cut: Whether the connection breaks after the last piece.
        hold: Set by the test for what is after the first piece to be sent; not waited for when None.
    """

    body: list[bytes]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    content_type: str = "application/json"
    encoding: str = ""
    cut: bool = False
    hold: threading.Event | None = None


def whole(answer: Any, **options: Any) -> Answer:
    """Answer with one JSON object."""
    return Answer([json.dumps(answer).encode()], **options)


def events(*events: Any, done: bool = True, **options: Any) -> Answer:
    """Answer with server-sent events."""
    body = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    if done:
        body.append(b"data: [DONE]\n\n")
    return Answer(body, content_type="text/event-stream", **options)


def lines(*objects: Any, **options: Any) -> Answer:
    """Answer with lines of JSON."""
    body = [json.dumps(each).encode() + b"\n" for each in objects]
    return Answer(body, content_type="application/x-ndjson", **options)


@dataclass
class Received:
    """What one request brought."""

    path: str
    headers: dict[str, str]
    body: bytes


class Upstreams:
    """The server.

    ``answers`` are given in turn, the last one to all that follow.
    """

    def __init__(self) -> None:
        self.base = ""
        self.answers: deque[Answer] = deque()
        self.received: list[Received] = []

    def clear(self) -> None:
        self.answers.clear()
        self.received.clear()

    def gives(self, *answers: Answer) -> str:
        """Give these answers from now on; the result is where."""
        self.answers.extend(answers)
        return self.base

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        parts: list[bytes] = []
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.received.append(Received(scope["path"], headers, b"".join(parts)))
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.popleft()
        pieces = _compressed(answer)
        head = {"content-type": answer.content_type, **answer.headers}
        if answer.encoding:
            head["content-encoding"] = answer.encoding
        encoded = [(name.encode(), value.encode()) for name, value in head.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0)
            if answer.hold is not None:
                await asyncio.to_thread(answer.hold.wait, 10)
        if answer.cut:
            raise ConnectionAbortedError("cut")
        await send({"type": "http.response.body", "body": b""})


def _compressed(answer: Answer) -> list[bytes]:
    if not answer.encoding:
        return answer.body
    if answer.encoding == "gzip":
        return [gzip.compress(b"".join(answer.body))]
    if answer.encoding == "deflate":
        return [zlib.compress(b"".join(answer.body))]
    raise ValueError(answer.encoding)
