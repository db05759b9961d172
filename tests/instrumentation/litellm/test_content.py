"""Content of calls that LiteLLM's Router makes: asked and answered, and LiteLLM's own callbacks none the wiser."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from typing import Any

import pytest

from otel_llm_router import testing

litellm: Any = pytest.importorskip("litellm")
CustomLogger: Any = pytest.importorskip("litellm.integrations.custom_logger").CustomLogger

EVENT = "gen_ai.client.inference.operation.details"
SECRET = "sk-abcdefghijklmnopqrst"
WORDS = "routing is a choice among"
"""What five tokens of the upstream say."""
TOOL = {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}


@pytest.fixture
def captured() -> Generator[testing.Captured]:
    with testing.capture(content="SPAN_AND_EVENT", fast_path=True) as found:
        yield found


def asked(ask: Callable[..., Any], **upstreams: Any) -> list[dict[str, Any]]:
    return [{"role": "system", "content": f"my key is {SECRET}"}, *ask(**upstreams)]


def recorded(captured: testing.Captured, name: str = "chat gpt-4o-mini") -> list[dict[str, Any]]:
    return [
        {
            key.removeprefix("gen_ai."): json.loads(str(value))
            for key, value in (span.attributes or {}).items()
            if str(value)[:2] == "[{"
        }
        for span in captured.spans(name)
    ]


def answer(text: str) -> list[dict[str, Any]]:
    return [{"role": "assistant", "parts": [{"type": "text", "content": text}], "finish_reason": "stop"}]


async def test_a_completion(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    messages = asked(ask, alpha=[{"completion_tokens": 5}])
    await make_router().acompletion("smart", messages, tools=[TOOL])
    (found,) = recorded(captured)
    assert found == {
        "input.messages": [
            {"role": "system", "parts": [{"type": "text", "content": "my key is [REDACTED]"}]},
            {"role": "user", "parts": [{"type": "text", "content": messages[1]["content"]}]},
        ],
        "tool.definitions": [
            {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}}
        ],
        "output.messages": answer(WORDS),
    }
    assert len(captured.events(EVENT)) == 1
    assert captured.spans("route smart")[0].to_json().count("my key") == 0


def test_a_completion_of_the_synchronous_api(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    make_router().completion("smart", asked(ask, alpha=[{"completion_tokens": 5}]))
    (found,) = recorded(captured)
    assert found["output.messages"] == answer(WORDS)


async def test_a_stream(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    messages = asked(ask, alpha=[{"completion_tokens": 5}])
    stream = await make_router().acompletion("smart", messages, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == WORDS + " "
    (found,) = recorded(captured)
    assert found["output.messages"] == answer(WORDS + " ")
    assert found["input.messages"][1]["parts"][0]["content"] == messages[1]["content"]
    assert captured.value("llm_router.tokens", type="output", source="reported") == 5


async def test_each_try_has_its_own(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    messages = asked(ask, alpha=[{"status": 500}, {"completion_tokens": 5}])
    await make_router().acompletion("smart", messages)
    failed, succeeded = recorded(captured)
    assert set(failed) == {"input.messages"}
    assert failed["input.messages"] == succeeded["input.messages"]
    assert succeeded["output.messages"] == answer(WORDS)
    assert len(captured.events(EVENT)) == 2
    assert "simulated failure" not in "".join(span.to_json() for span in captured.spans())


async def test_the_application_may_go_on_with_its_messages(
    make_router: Any, ask: Any, captured: testing.Captured
) -> None:
    messages = asked(ask, alpha=[{"completion_tokens": 5}])
    await make_router().acompletion("smart", messages)
    messages.append({"role": "user", "content": "of another time"})
    messages[0]["content"] = "of another time"
    assert "another time" not in str(recorded(captured))


async def test_embeddings_are_no_messages(make_router: Any, captured: testing.Captured) -> None:
    await make_router().aembedding("smart", ["embed me"])
    assert "embed me" not in "".join(span.to_json() for span in captured.spans())
    assert captured.events(EVENT) == []


class Callback(CustomLogger):
    """What LiteLLM tells a callback of the user's: of these messages, and of what was left over from other tests."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._messages = messages
        self.told: list[Any] = []

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        if kwargs["messages"] == self._messages:
            self.told.append(response_obj.choices[0].message.content)


async def test_callbacks_of_litellm_are_told_what_they_always_were(make_router: Any, ask: Any, eventually: Any) -> None:
    messages = asked(ask, alpha=[{"completion_tokens": 5}])
    callback = Callback(messages)
    litellm.callbacks = [callback]
    router = make_router()
    registered: list[list[str]] = []
    for number, content in enumerate(("NO_CONTENT", "SPAN_AND_EVENT"), 1):
        mode: Any = content
        with testing.capture(content=mode, fast_path=True):
            await router.acompletion("smart", messages)
            assert await eventually(lambda number=number: len(callback.told) == number)
        lists = (litellm.callbacks, litellm.success_callback, litellm._async_success_callback)
        registered.append([type(each).__name__ for one in lists for each in one])
    assert callback.told == [WORDS, WORDS]
    assert registered[0] == registered[1]
    assert messages[0]["content"] == f"my key is {SECRET}"


async def test_by_default_not_a_byte_of_it_is_kept(
    make_router: Any, ask: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with testing.capture(fast_path=True) as captured:
        router = make_router(num_retries=0)
        await router.acompletion("smart", asked(ask, alpha=[{"completion_tokens": 5}]), tools=[TOOL])
        with pytest.raises(litellm.InternalServerError):
            await router.acompletion("smart", asked(ask, alpha=[{"status": 500}]))
        exported = "".join(span.to_json() for span in captured.spans())
        said = [record.getMessage() for record in caplog.records if record.name.startswith("otel_llm_router")]
        exported += str([dict(event.attributes) for event in captured.events()]) + "".join(said)
    assert "gpt-4o-mini" in exported
    for word in ("my key", SECRET, WORDS, "upstreams", "Looks.", "simulated failure"):
        assert word not in exported
