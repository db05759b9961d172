"""The command ``otel-llm-router demo``.

Room: `cli`. Assembles processes, traffic, display and reconciliation.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import secrets
import signal
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from otel_llm_router.cli.demo._interruption import Interruption

if TYPE_CHECKING:
    from rich.console import Console

    from otel_llm_router.cli.demo._delivery import Delivery
    from otel_llm_router.cli.demo._processes import Processes
    from otel_llm_router.cli.demo._reconcile import Row
    from otel_llm_router.cli.demo._samples import Samples

_NEEDED: Final = ("litellm", "fastapi", "uvicorn", "httpx", "orjson", "soundfile", "numpy")
_FAULT_RATE: Final = "0.12"
_SETTLE_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.25
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "": 1.0}
_EXAMPLE: Final = """\b
Example:
  otel-llm-router demo --duration 20s
  otel-llm-router demo --requests 500 --seed 7 --collector --json
"""


class Duration(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  # generic in newer releases only
    """A length of time such as ``20s``, ``1.5m``, ``500ms`` or ``20``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|)", str(value).strip())
        if found is None or float(found.group(1)) == 0:
            self.fail(f"{value!r} is no length of time; write 20s, 1.5m or 500ms", param, ctx)
        return float(found.group(1)) * _UNITS[found.group(2)]


@dataclass(frozen=True)
class Plan:
    """What to do."""

    seconds: float | None
    number: int | None
    seed: int
    collector: bool
    keep: bool
    as_json: bool
    sample: float
    fast_path: bool


@click.command(epilog=_EXAMPLE)
@click.option(
    "--duration", type=Duration(), default=None, help="How long to send traffic; 20s unless --requests says how much."
)
@click.option(
    "--requests", "number", type=click.IntRange(min=1), help="How many requests to send, however long it takes."
)
@click.option(
    "--seed", type=click.IntRange(min=0), help="Decides every request and every fault; the same seed asks the same."
)
@click.option("--collector", is_flag=True, help="Deliver OTLP through a real Collector, built once if there is none.")
@click.option("--keep", is_flag=True, help="Leave everything running afterwards, to look at, until Ctrl-C.")
@click.option(
    "--sample",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Share of requests whose spans are sampled; metrics count all of them.",
)
@click.option(
    "--fast-path/--no-fast-path",
    default=True,
    show_default=True,
    help="Aggregate in front of the OpenTelemetry SDK, or in it; the numbers are the same.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout; progress goes to stderr.")
def demo(
    *,
    duration: float | None,
    number: int | None,
    seed: int | None,
    collector: bool,
    keep: bool,
    sample: float,
    fast_path: bool,
    as_json: bool,
) -> None:
    """Watch a real router, and check every number of it.

    Starts three upstream providers and a FastAPI gateway on litellm.Router under
    opentelemetry-instrument, sends mixed traffic (streams, retries, fallbacks, cached answers, abandoned
    streams, rate limits, failures, streams that break off), and compares what upstreams and clients wrote
    down with what the scrape says and what OTLP delivered.

    Exit code: 0 when every number agrees, 1 when one does not or something could not be started,
    130 when interrupted, 143 when terminated.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"the demo needs packages that are not installed ({', '.join(missing)}): pip install 'otel-llm-router[demo]'"
        )
    if duration is None and number is None:
        duration = 20.0
    seed = secrets.randbelow(10_000) if seed is None else seed
    plan = Plan(duration, number, seed, collector, keep, as_json, sample, fast_path)
    # All that the demo talks to is on this machine, whatever proxy the shell names.
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1")))
    stop = Interruption()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, stop)
    try:
        code = _run(plan, stop)
    except (KeyboardInterrupt, asyncio.CancelledError):
        what = "terminated" if stop.number == signal.SIGTERM else "interrupted"
        click.echo(f"{what}; everything that was started has been stopped", err=True)
        code = 128 + stop.number
    sys.exit(code)


def _run(plan: Plan, stop: Interruption) -> int:
    import httpx  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415  # `--help` need not wait for rich

    from otel_llm_router.cli._progress import StderrProgress  # noqa: PLC0415
    from otel_llm_router.cli.demo import _delivery  # noqa: PLC0415
    from otel_llm_router.cli.demo._processes import Processes  # noqa: PLC0415

    console = Console(stderr=plan.as_json)
    progress = StderrProgress()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otel-llm-router-demo-")))
        if plan.collector:
            delivery = stack.enter_context(_delivery.through_collector(directory, progress))
        else:
            delivery = stack.enter_context(_delivery.in_process())
        processes = stack.enter_context(Processes(directory))
        names = ("alpha", "beta", "gamma")
        with progress.phase("starting three upstream providers"):
            environment = {"DEMO_FAULT_RATE": _FAULT_RATE}
            upstreams = {name: processes.serve(name, "upstream", name, environment=environment) for name in names}
        with progress.phase("starting the gateway (it imports LiteLLM)"):
            gateway, metrics = _start_gateway(plan, processes, upstreams, delivery)
        console.print(f"gateway [bold]{gateway}[/], metrics [bold]{metrics}[/], seed {plan.seed}")
        try:
            observed = asyncio.run(stop.cancels(_observe(plan, console, gateway, metrics, upstreams, delivery)))
        except httpx.TransportError as error:
            raise click.ClickException(processes.ended(within=2.0) or f"no answer any more: {error}") from error
        if stop.number:
            raise KeyboardInterrupt
        _report(plan, console, observed, delivery, metrics)
        if ended := processes.ended():
            raise click.ClickException(ended)
        if plan.keep:
            _wait(console, stop, gateway, metrics)
    return 0 if all(row.equal for row in observed.rows) else 1


def _start_gateway(plan: Plan, processes: Processes, upstreams: dict[str, str], delivery: Delivery) -> tuple[str, str]:
    """Start the gateway; return its base URL and that of its metrics."""
    for preferred in (9090, 0, 0):
        port = _free_port(preferred)
        environment = gateway_environment(upstreams, delivery, port, sample=plan.sample, fast_path=plan.fast_path)
        gateway = processes.serve("gateway", "gateway", environment=environment, instrumented=True)
        # Between our look at the port and the gateway's, another demo may have taken it, and would be scraped here.
        if "no scrape endpoint" not in processes.said("gateway"):
            return gateway, f"http://127.0.0.1:{port}/metrics"
        processes.end("gateway")
    raise click.ClickException("the gateway found no free port for its metrics")


def gateway_environment(
    upstreams: dict[str, str],
    delivery: Delivery,
    scrape_port: int,
    *,
    sample: float = 1.0,
    fast_path: bool = True,
) -> dict[str, str]:
    """Return the environment that the gateway is started with."""
    return {
        "DEMO_UPSTREAMS": json.dumps(upstreams),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # the price table it ships, not one from the network
        "OTEL_SERVICE_NAME": "llm-gateway-demo",
        "OTEL_EXPORTER_OTLP_ENDPOINT": delivery.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp,prometheus",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_BSP_SCHEDULE_DELAY": "500",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": str(sample),
        "OTEL_LLM_ROUTER_FAST_PATH": str(fast_path).lower(),
        "OTEL_PYTHON_DISTRO": "otel_llm_router",
        "OTEL_PYTHON_CONFIGURATOR": "otel_llm_router",
        "OTEL_LLM_ROUTER_SCRAPE_PORT": str(scrape_port),
        "OTEL_LLM_ROUTER_SCRAPE_HOST": "127.0.0.1",
        "OTEL_LLM_ROUTER_SCRAPE_CACHE": "0",
        "OTEL_LLM_ROUTER_WORKERS": "false",  # another demonstration is another service, whatever its name is
    }


@dataclass(frozen=True)
class Observed:
    """What was seen: rows of the reconciliation, and the time traffic took."""

    rows: list[Row]
    seconds: float


async def _observe(
    plan: Plan, console: Console, gateway: str, metrics: str, upstreams: dict[str, str], delivery: Delivery
) -> Observed:
    import time  # noqa: PLC0415

    import httpx  # noqa: PLC0415

    from otel_llm_router.cli.demo import _reconcile  # noqa: PLC0415
    from otel_llm_router.cli.demo._display import Display  # noqa: PLC0415
    from otel_llm_router.cli.demo._samples import Samples  # noqa: PLC0415
    from otel_llm_router.cli.demo._traffic import Clients  # noqa: PLC0415

    clients, stop = Clients(plan.seed, gateway), asyncio.Event()
    async with httpx.AsyncClient(timeout=30) as http:

        async def scrape() -> Samples:
            return Samples.of_text((await http.get(metrics)).text)

        began = time.monotonic()
        with Display(console) as display:
            traffic = asyncio.create_task(clients.run(seconds=plan.seconds, number=plan.number, stop=stop))
            while not traffic.done():
                display.show(await scrape())
                await asyncio.wait({traffic}, timeout=0.5)
            await traffic
            display.show(await scrape(), last=True)
        seconds = time.monotonic() - began
        rows: list[Row] = []
        deadline = time.monotonic() + _SETTLE_SECONDS
        # Streams that were given up end a moment later, and OTLP follows by its interval.
        while time.monotonic() < deadline:
            records = {name: Counter[str]((await http.get(f"{url}/record")).json()) for name, url in upstreams.items()}
            samples = await scrape()
            delivered = await asyncio.to_thread(delivery.samples)
            spans = await asyncio.to_thread(delivery.spans)
            rows = _reconcile.rows(clients.record, records, samples, delivered, spans, all_sampled=plan.sample == 1)
            if all(row.equal for row in rows):
                break
            await asyncio.sleep(_POLL_SECONDS)
    return Observed(rows, seconds)


def _report(plan: Plan, console: Console, observed: Observed, delivery: Delivery, metrics: str) -> None:
    from otel_llm_router.cli.demo._display import reconciliation  # noqa: PLC0415

    equal = all(row.equal for row in observed.rows)
    console.print(reconciliation(observed.rows, delivery.name))
    different = [row.what for row in observed.rows if not row.equal]
    if equal:
        console.print(f"All {len(observed.rows)} numbers agree.", style="green")
    else:
        console.print(
            f"{len(different)} of {len(observed.rows)} numbers differ: {', '.join(different)}", style="bold red"
        )
    if plan.as_json:
        answer = {
            "equal": equal,
            "seed": plan.seed,
            "duration_seconds": round(observed.seconds, 3),
            "collector": plan.collector,
            "metrics_url": metrics,
            "reconciliation": [row.as_dict() for row in observed.rows],
        }
        click.echo(json.dumps(answer, indent=2))


def _wait(console: Console, stop: Interruption, gateway: str, metrics: str) -> None:
    try:
        console.print(f"Everything is still running: gateway {gateway}, metrics {metrics}. Ctrl-C ends it.")
        signal.pause()
    except KeyboardInterrupt:
        if stop.number != signal.SIGINT:
            raise
        console.print("stopping")


def _free_port(preferred: int) -> int:
    import socket  # noqa: PLC0415

    for port in (preferred, 0):
        with socket.socket() as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(candidate.getsockname()[1])
    raise click.ClickException("no free port on 127.0.0.1")
