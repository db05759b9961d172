"""Questions from one process to the others, over their sockets.

Room: `export.workers`. A question is a line; the answer is all that comes until the connection is closed, with its
length ahead. All are asked at once, and nobody is waited for longer than a deadline: a process can be stopped, or stuck.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import Final

DEADLINE_SECONDS: Final = 0.5
"""How long all answers together may take."""
LONGEST_QUESTION: Final = 256

_ANSWER_SECONDS: Final = 1.0
_CHUNK: Final = 1 << 18
_LENGTH: Final = Struct("!Q")


def ask(sockets: Mapping[str, Path], question: str, *, seconds: float = DEADLINE_SECONDS) -> dict[str, bytes]:
    """Return the answers of those that answer in time, by their ids.

    Args:
        sockets: Where each process answers, by its id.
        question: One line.
        seconds: How long all of it may take.
    """
    deadline = time.monotonic() + seconds
    answers: dict[str, bytes] = {}
    with selectors.DefaultSelector() as waiting:
        for identity, path in sockets.items():
            asked = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            asked.setblocking(False)
            try:
                asked.connect(str(path))  # at once, or not at all: a full queue is a process that is stuck
                asked.sendall(question.encode() + b"\n")
                waiting.register(asked, selectors.EVENT_READ, (identity, bytearray()))
            except OSError:
                asked.close()
        try:
            while waiting.get_map() and (left := deadline - time.monotonic()) > 0:
                for key, _ in waiting.select(left):
                    identity, received = key.data
                    if _received(key.fileobj, received):  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a socket
                        waiting.unregister(key.fileobj)
                        key.fileobj.close()  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue]  # a socket
                        whole = _whole(received)
                        if whole is not None:
                            answers[identity] = whole
        finally:
            for key in list(waiting.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue]  # a socket
    return answers


def _received(asked: socket.socket, into: bytearray) -> bool:
    """Take what has come; return whether that was all."""
    try:
        while chunk := asked.recv(_CHUNK):
            into += chunk
    except BlockingIOError:
        return False
    except OSError:
        into.clear()
    return True


def _whole(received: bytearray) -> bytes | None:
    if len(received) < _LENGTH.size or _LENGTH.unpack_from(received)[0] != len(received) - _LENGTH.size:
        return None
    return bytes(received[_LENGTH.size :])


def answer(listening: socket.socket, to: Callable[[str], bytes]) -> None:
    """Answer one question that waits at ``listening``, if one does.

    Args:
        listening: Where the questions come.
        to: Returns the answer to a question.
    """
    with suppress(OSError):  # whoever asked may be gone
        connection, _ = listening.accept()
        with connection:
            connection.settimeout(_ANSWER_SECONDS)
            question = b""
            while b"\n" not in question and len(question) < LONGEST_QUESTION:
                chunk = connection.recv(LONGEST_QUESTION)
                if not chunk:
                    return
                question += chunk
            data = to(question.partition(b"\n")[0].decode("utf-8", "replace"))
            connection.sendall(_LENGTH.pack(len(data)) + data)
