"""The HTTP clients that applications call providers with, each in the ways in which they are used.

A way takes a URL and a JSON body, sends it and reads the answer to its end, and returns (status, bytes).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import httpx
import requests

Way = Callable[[str, Any], Awaitable[tuple[int, bytes]]]


async def httpx_whole(url: str, body: Any) -> tuple[int, bytes]:
    async with httpx.AsyncClient(verify=False) as client:
        response = await client.post(url, json=body)
        return response.status_code, response.content


async def httpx_stream(url: str, body: Any) -> tuple[int, bytes]:
    async with httpx.AsyncClient(verify=False) as client, client.stream("POST", url, json=body) as response:
        return response.status_code, b"".join([piece async for piece in response.aiter_bytes()])


async def httpx_sync_whole(url: str, body: Any) -> tuple[int, bytes]:
    def call() -> tuple[int, bytes]:
        with httpx.Client(verify=False) as client:
            response = client.post(url, json=body)
            return response.status_code, response.content

    return await asyncio.to_thread(call)


async def httpx_sync_stream(url: str, body: Any) -> tuple[int, bytes]:
    def call() -> tuple[int, bytes]:
        with httpx.Client(verify=False) as client, client.stream("POST", url, json=body) as response:
            return response.status_code, b"".join(response.iter_bytes())

    return await asyncio.to_thread(call)


async def aiohttp_whole(url: str, body: Any) -> tuple[int, bytes]:
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        return response.status, await response.read()


async def aiohttp_stream(url: str, body: Any) -> tuple[int, bytes]:
    headers = {"content-type": "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=json.dumps(body), headers=headers) as response,
    ):
        return response.status, b"".join([piece async for piece in response.content.iter_any()])


async def requests_whole(url: str, body: Any) -> tuple[int, bytes]:
    def call() -> tuple[int, bytes]:
        response = requests.post(url, json=body, timeout=10)
        return response.status_code, response.content

    return await asyncio.to_thread(call)


async def requests_stream(url: str, body: Any) -> tuple[int, bytes]:
    def call() -> tuple[int, bytes]:
        with requests.post(url, json=body, timeout=10, stream=True) as response:
            return response.status_code, b"".join(response.iter_content(None))

    return await asyncio.to_thread(call)


WHOLE: list[Way] = [httpx_whole, httpx_sync_whole, aiohttp_whole, requests_whole]
STREAM: list[Way] = [httpx_stream, httpx_sync_stream, aiohttp_stream, requests_stream]
