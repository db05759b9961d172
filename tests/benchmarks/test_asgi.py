from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.asgi import AsgiLoad
from benchmarks.router import CHUNKS


def application(status: int, *pieces: bytes) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["path"] == "/v1/chat/completions"
        assert json.loads((await receive())["body"])["model"] == "smart"
        await send({"type": "http.response.start", "status": status, "headers": []})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    return app


ANSWER = b'{"choices": [{"message": {"content": "text"}}]}'
EMPTY = b'{"choices": [{"message": {"content": ""}}]}'
CHUNK = b'data: {"choices": []}\n\n'


async def test_what_is_answered_well_passes():
    await AsgiLoad(application(200, ANSWER[:9], ANSWER[9:])).plain()
    await AsgiLoad(application(200, *[CHUNK] * CHUNKS, b"data: [DONE]\n\n")).stream()


async def test_an_empty_answer_fails():
    with pytest.raises(RuntimeError, match="an answer is empty"):
        await AsgiLoad(application(200, EMPTY)).plain()


async def test_an_error_fails():
    with pytest.raises(RuntimeError, match="status 502"):
        await AsgiLoad(application(502, ANSWER)).plain()


async def test_a_stream_without_all_its_chunks_fails():
    with pytest.raises(RuntimeError, match="99 chunks instead of 100"):
        await AsgiLoad(application(200, *[CHUNK] * (CHUNKS - 1))).stream()
