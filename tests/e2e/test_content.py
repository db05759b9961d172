"""Content under the real ``opentelemetry-instrument``: nowhere unless the standard variable asks for it, then where it says."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from running import free_port

Python = Callable[..., subprocess.CompletedProcess[str]]

VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
EVENT = "gen_ai.client.inference.operation.details"
PROMPT, SECRET, COMPLETION = "who built the lighthouse", "sk-abcdefghijklmnopqrst", "routing is a choice among"

CODE = f"""
import json, os, sys
import httpx
from otel_llm_router import telemetry as router

url = os.environ["UPSTREAM"] + "/v1/chat/completions"

def ask(stream=False, **behaviour):
    plan = json.dumps({{"id": "{PROMPT} " + repr(behaviour), "upstreams": {{"alpha": [behaviour]}}}})
    messages = [{{"role": "system", "content": "{PROMPT}, {SECRET}"}}, {{"role": "user", "content": plan}}]
    return httpx.post(url, json={{"model": "gpt-4o", "messages": messages, "stream": stream}}).text

ask(completion_tokens=5)
ask(stream=True, completion_tokens=5)
ask(status=500)
try:
    with router.request("smart"):
        raise ValueError("{PROMPT}")
except ValueError:
    pass
print(httpx.get(f"http://127.0.0.1:{{os.environ['OTEL_LLM_ROUTER_SCRAPE_PORT']}}/metrics").text)
print("loaded", "otel_llm_router.telemetry._content" in sys.modules)
"""


class Sink:
    """An OTLP receiver that keeps every byte."""

    def __init__(self) -> None:
        self.bodies: dict[str, list[bytes]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        packed = dict(scope["headers"]).get(b"content-encoding") == b"gzip"
        self.bodies.setdefault(scope["path"], []).append(gzip.decompress(body) if packed else body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def everything(self) -> bytes:
        return b"".join(body for bodies in self.bodies.values() for body in bodies)

    def attempts(self) -> list[dict[str, Any]]:
        """Attributes of the spans of calls."""
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies["/v1/traces"]]
        spans = [s for r in requests for one in r.resource_spans for scope in one.scope_spans for s in scope.spans]
        return [{a.key: a.value for a in span.attributes} for span in spans if span.name == "chat gpt-4o"]

    def events(self) -> list[dict[str, Any]]:
        """Attributes of the events that carry content."""
        requests = [ExportLogsServiceRequest.FromString(body) for body in self.bodies.get("/v1/logs", [])]
        logs = [s for r in requests for one in r.resource_logs for scope in one.scope_logs for s in scope.log_records]
        return [{a.key: a.value for a in log.attributes} for log in logs if log.event_name == EVENT]


@pytest.fixture
def run(python: Python, serve: Any, providers: Any) -> Callable[..., tuple[Sink, str]]:
    def start(**variables: str) -> tuple[Sink, str]:
        sink = Sink()
        kept = {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "otlp,prometheus",
            "OTEL_LOGS_EXPORTER": "otlp",
        }
        kept |= {"OTEL_LLM_ROUTER_SCRAPE": "true", "OTEL_LLM_ROUTER_SCRAPE_PORT": str(free_port())}
        kept["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"] = "fastapi,llm_router_asgi,llm_router_litellm,llm_router_hooks"
        upstream = {"UPSTREAM": providers["alpha"].base, "OTEL_EXPORTER_OTLP_ENDPOINT": serve(sink)}
        done = python(CODE, **kept, **upstream, **variables)
        assert done.returncode == 0, done.stderr
        assert "llm_router_attempts_total{" in done.stdout
        assert len(sink.attempts()) == 3
        return sink, done.stdout + done.stderr

    return start


def test_by_default_not_a_byte_of_it_leaves(run: Any) -> None:
    sink, said = run()
    everything = sink.everything() + said.encode()
    assert b"llm_router.inference.error" in everything
    for word in (PROMPT, SECRET, COMPLETION, "upstreams", "simulated failure"):
        assert word.encode() not in everything
    assert "loaded False" in said


def test_on_spans_and_as_events(run: Any) -> None:
    sink, said = run(**{VARIABLE: "span_and_event", "OTEL_LLM_ROUTER_CONTENT_LIMIT": "1000"})
    whole, stream, failed = sink.attempts()
    for span in (whole, stream, failed):
        system, user = json.loads(span["gen_ai.input.messages"].string_value)
        assert system["parts"] == [{"type": "text", "content": f"{PROMPT}, [REDACTED]"}]
        assert PROMPT in user["parts"][0]["content"]
    for span in (whole, stream):
        (message,) = json.loads(span["gen_ai.output.messages"].string_value)
        assert message["parts"][0]["content"].strip() == COMPLETION
        assert message["finish_reason"] == "stop"
    assert "gen_ai.output.messages" not in failed
    events = sink.events()
    assert len(events) == 3
    output = [event["gen_ai.output.messages"].array_value.values[0] for event in events[:2]]
    for message in output:  # in structured form, as the conventions want it on events
        fields = {field.key: field.value for field in message.kvlist_value.values}
        assert fields["role"].string_value == "assistant"
        (part,) = fields["parts"].array_value.values
        assert {field.key: field.value.string_value.strip() for field in part.kvlist_value.values} == {
            "type": "text",
            "content": COMPLETION,
        }
    everything = sink.everything() + said.encode()
    assert SECRET.encode() not in everything
    assert PROMPT.encode() not in said.encode()  # neither on the scrape nor in the log
    assert PROMPT.encode() not in b"".join(sink.bodies["/v1/metrics"])
    assert b"simulated failure" not in everything
