"""The demo's options, and the parts that decide what it asks and when its numbers agree."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from importlib.metadata import requires
from typing import Any

import pytest
from click.testing import CliRunner, Result
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from otel_llm_router.cli.demo._reconcile import Row, rows
from otel_llm_router.cli.demo._samples import Samples
from otel_llm_router.cli.demo._traffic import Clients
from otel_llm_router.cli.demo._upstream import Upstream
from otel_llm_router.cli.demo.command import Duration, demo


def run(*arguments: str) -> Result:
    return CliRunner().invoke(demo, arguments)


class TestOptions:
    @pytest.mark.parametrize("value", ["0", "0.0s", "ten", "-5s", "", "1e3", "inf", "nan", "5 s", "5h", "5ss"])
    def test_a_bad_duration_is_named_with_what_is_allowed(self, value: str) -> None:
        result = run("--duration", value)
        assert result.exit_code == 2
        expected = f"Invalid value for '--duration': {value!r} is no length of time; write 20s, 1.5m or 500ms"
        assert expected in result.output

    @pytest.mark.parametrize(
        ("value", "seconds"), [("20s", 20), ("1.5m", 90), ("500ms", 0.5), ("20", 20), (" 3s ", 3), (7, 7)]
    )
    def test_a_duration_is_read_as_seconds(self, value: object, seconds: float) -> None:
        assert Duration().convert(value, None, None) == seconds

    @pytest.mark.parametrize(
        ("option", "value"), [("--requests", "0"), ("--requests", "many"), ("--seed", "-1"), ("--seed", "x")]
    )
    def test_a_bad_number_is_named(self, option: str, value: str) -> None:
        result = run(option, value)
        assert result.exit_code == 2
        assert f"Invalid value for '{option}'" in result.output
        assert value in result.output

    def test_a_mistyped_option_is_named(self) -> None:
        result = run("--durration", "5s")
        assert result.exit_code == 2
        assert "No such option" in result.output
        assert "--durration" in result.output

    def test_help_says_the_exit_codes_and_an_example(self) -> None:
        result = run("--help")
        assert result.exit_code == 0
        assert "130 when interrupted, 143 when terminated" in " ".join(result.output.split())
        assert "\n  Example:\n    otel-llm-router demo --duration 20s\n" in result.output

    def test_a_missing_package_of_the_extra_is_one_message(self) -> None:
        extra = [one for one in requires("otel-llm-router") or () if re.search(r"""extra == ["']demo["']""", one)]
        names = [re.split(r"[<>=\[; ]", one)[0] for one in extra]
        assert {"litellm", "fastapi", "numpy"} <= set(names)
        for name in names:
            with pytest.MonkeyPatch.context() as patch:
                patch.setitem(sys.modules, name, None)
                result = run()
            assert result.exit_code == 1
            assert result.output == (
                f"Error: the demo needs packages that are not installed ({name}): pip install 'otel-llm-router[demo]'\n"
            )


def asked(serve: Callable[[Any], str], seed: int) -> list[str]:
    """Every question that clients with that seed ask, in no order."""
    bodies: list[str] = []

    async def answer(request: Request) -> JSONResponse:
        bodies.append(json.dumps([request.url.path, await request.json()], sort_keys=True))
        return JSONResponse({})

    base = serve(Starlette(routes=[Route("/v1/{path:path}", answer, methods=["POST"])]))
    clients = Clients(seed, base)
    asyncio.run(clients.run(seconds=None, number=40, stop=asyncio.Event()))
    assert clients.record["requests"] == 40
    return sorted(bodies)


class TestSeed:
    def test_the_same_seed_asks_the_same(self, serve: Any) -> None:
        first = asked(serve, 3)
        assert len(first) == 40
        assert first == asked(serve, 3)
        assert first != asked(serve, 4)

    def test_an_upstream_answers_the_same_question_the_same_way(self) -> None:
        bodies: list[dict[str, Any]] = [{"messages": [{"role": "user", "content": f"{n}"}]} for n in range(200)]

        def behaviours(name: str) -> list[object]:
            upstream = Upstream(name, fault_rate=0.2)
            return [upstream.behave(body) for body in [*bodies, *bodies]]

        assert behaviours("alpha") == behaviours("alpha")
        assert behaviours("alpha") != behaviours("beta")


def samples(**values: float) -> Samples:
    found = Samples()
    for name, value in values.items():
        found.add(name, {"status": "success", "model": "gpt-4o", "cached": "false"}, value)
    return found


UPSTREAMS = {"alpha": Counter[str](), "beta": Counter(attempts=2, successes=2), "gamma": Counter[str]()}
CLIENTS = Counter(requests=2, successes=2)
SPANS = {"internal": 2, "client": 2, "server": 2}
COUNTED = {"llm_router_inference_total": 2, "llm_router_http_requests_total": 2, "llm_router_attempts_total": 2}


class TestReconciliation:
    def test_everything_agrees(self) -> None:
        found = rows(CLIENTS, UPSTREAMS, samples(**COUNTED), samples(**COUNTED), SPANS)
        assert [row.what for row in found if not row.equal] == []
        assert {row.what: row.upstream for row in found}["attempts at beta"] == 2

    @pytest.mark.parametrize("side", ["scrape", "otlp"])
    def test_one_request_more_on_one_side_is_told(self, side: str) -> None:
        more = {**COUNTED, "llm_router_inference_total": 3}
        scrape, otlp = (samples(**(more if side == name else COUNTED)) for name in ("scrape", "otlp"))
        found = rows(CLIENTS, UPSTREAMS, scrape, otlp, SPANS)
        different = {row.what for row in found if not row.equal}
        beside = {"spans of requests"} if side == "scrape" else set[str]()
        assert different == {"requests", "requests that succeeded"} | beside

    def test_a_lost_span_is_told(self) -> None:
        found = rows(CLIENTS, UPSTREAMS, samples(**COUNTED), samples(**COUNTED), {**SPANS, "client": 1})
        assert [row.what for row in found if not row.equal] == ["spans of attempts"]

    @pytest.mark.parametrize(
        ("numbers", "equal"), [((3, 3, 3), True), ((4, 3, 3), False), ((3, 4, 3), False), ((3, 3, 4), False)]
    )
    def test_a_row_is_equal_only_when_all_three_are(self, numbers: tuple[float, float, float], equal: bool) -> None:
        upstream, scrape, otlp = numbers
        assert Row("tokens", *map(float, numbers)).as_dict() == {
            "what": "tokens",
            "upstream": upstream,
            "scrape": scrape,
            "otlp": otlp,
            "equal": equal,
        }
        assert json.dumps(Row("tokens", 3.0, 3.0, 3.5).as_dict()) == (
            '{"what": "tokens", "upstream": 3, "scrape": 3, "otlp": 3.5, "equal": false}'
        )
