"""What is compared: every configuration, the environment it needs, and how to see that it recorded.

A configuration is one way to watch a LiteLLM Router. Its cost is what it adds to ``none`` *in the same
environment*: the packages that happen to be installed alone can move a request by more than a light
telemetry costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Workload = Literal["isolated", "mock", "http", "sdk", "wire", "gateway"]

WORKLOADS: Final[Mapping[Workload, str]] = {
    "isolated": "hollow litellm.Router: the telemetry's own work, hot",
    "mock": "litellm.Router, mock_response (no network)",
    "http": "litellm.Router, an upstream over HTTP in another process",
    "sdk": "bare SDK of OpenAI (no router), httpx with a hollow pool of connections",
    "wire": "FastAPI gateway on bare httpx, no LiteLLM",
    "gateway": "FastAPI gateway on litellm.Router, an upstream over HTTP",
}
"""What is under load, and where its answers come from."""

ROUTER: Final[tuple[Workload, ...]] = ("isolated", "mock", "http")
GATEWAY: Final[tuple[Workload, ...]] = ("wire", "gateway")
SDK: Final[tuple[Workload, ...]] = ("sdk",)
EVERYWHERE: Final = (*ROUTER, *SDK, *GATEWAY)

OPENAI_SDK_ONLY: Final = "hooks the openai SDK, which mock_response does not pass"
OWN_SPANS: Final = 2
"""Spans of one request to a bare Router: the route and the attempt. A gateway's web framework adds the third."""

HOME: Final = "own"
"""The environment of ours, which also runs the receiver, the upstream and the micro benchmarks."""
STOCK: Final = "genai-openai"
"""The environment of OpenTelemetry's own instrumentations."""
HTTP_REQUESTS: Final = "llm_router.http.request.duration"


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One way to watch the Router.

    Args:
        name: Short name, for ``--only`` and JSON.
        title: Name in tables.
        environment: Environment of ``.cache/env/bench-*`` that it runs in.
        setup: Function of `benchmarks.setups` that switches it on.
        kind: ``control``, ``own`` or ``peer``.
        instrumented: Whether it is started under ``opentelemetry-instrument``.
        environ: Environment variables.
        spans: Spans that one request must bring to the receiver.
        metric: Metric that must count every request, at the receiver or in the process's Prometheus registry.
        proofs: Spans and metric in a workload where they are others.
        workloads: Where it takes part.
        sampled: Share of requests whose spans are sampled.
        variant: Whether a quick run leaves it out.
        absent: Workloads that it does not see, with the reason.
    """

    name: str
    title: str
    environment: str
    setup: str = "nothing"
    kind: Literal["control", "own", "peer"] = "peer"
    instrumented: bool = False
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    spans: float = 0.0
    metric: str | None = None
    sampled: float = 1.0
    proofs: Mapping[str, tuple[float, str | None]] = field(default_factory=dict[str, tuple[float, "str | None"]])
    workloads: tuple[Workload, ...] = ROUTER
    variant: bool = False
    absent: Mapping[str, str] = field(default_factory=dict[str, str])

    def proof(self, workload: Workload) -> tuple[float, str | None]:
        """Return the spans that one request must bring, and the metric that must count it."""
        return self.proofs.get(workload, (self.spans, self.metric))

    @property
    def records(self) -> bool:
        """Whether anything must arrive."""
        return self.spans > 0 or self.metric is not None


def _own(name: str, title: str, *, sampled: float = 1.0, **environ: str) -> Configuration:
    return Configuration(
        name=name,
        title=title,
        environment="own",
        setup="own",
        kind="own",
        instrumented=True,
        environ={"OTEL_LLM_ROUTER_SCRAPE_PORT": "0", **environ},
        spans=OWN_SPANS,
        metric="llm_router.inference",
        sampled=sampled,
        proofs={"wire": (1, HTTP_REQUESTS), "gateway": (OWN_SPANS + 1, "llm_router.inference")},
        variant=name in {"ours-gzip", "ours-sampled"},
        workloads=EVERYWHERE if name in {"ours", "ours-sdk"} else ROUTER,
    )


def _none(environment: str, **absent: str) -> Configuration:
    return Configuration(
        name=f"none@{environment}",
        title=f"none ({environment})",
        environment=environment,
        kind="control",
        workloads=EVERYWHERE if environment in {HOME, STOCK} else (*ROUTER, *(() if environment == "openlit" else SDK)),
        absent=absent,
    )


SAMPLED: Final = 0.1

CONFIGURATIONS: Final = (
    _none("own"),
    Configuration(name="no-op", title="no-op CustomLogger", environment="own", setup="no_op", kind="control"),
    _own("ours", "otel-llm-router"),
    _own("ours-gzip", "otel-llm-router, OTLP compressed", OTEL_EXPORTER_OTLP_COMPRESSION="gzip"),
    _own(
        "ours-sampled",
        "otel-llm-router, 10 % sampled",
        sampled=SAMPLED,
        OTEL_TRACES_SAMPLER="parentbased_traceidratio",
        OTEL_TRACES_SAMPLER_ARG=str(SAMPLED),
    ),
    _own("ours-sdk", "otel-llm-router, fast path off", OTEL_LLM_ROUTER_FAST_PATH="false"),
    Configuration(
        name="litellm-otel",
        title="LiteLLM callback otel",
        environment="own",
        setup="litellm_otel",
        environ={"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
        spans=1,
    ),
    Configuration(
        name="litellm-prometheus",
        title="LiteLLM callback prometheus",
        environment="own",
        setup="litellm_prometheus",
        metric="litellm_requests_metric_total",
    ),
    _none("genai-openai", mock="nothing is compared with it"),
    Configuration(
        name="genai-openai",
        title="OpenTelemetry GenAI openai",
        environment="genai-openai",
        setup="genai_openai",
        spans=1,
        metric="gen_ai.client.operation.duration",
        workloads=(*ROUTER, *SDK),
        absent={"mock": OPENAI_SDK_ONLY},
    ),
    Configuration(
        name="stock-httpx",
        kind="control",
        title="OpenTelemetry httpx: the HTTP request alone",
        environment=STOCK,
        setup="stock_httpx",
        spans=1,
        workloads=SDK,
    ),
    Configuration(
        name="stock-otel",
        title="OpenTelemetry fastapi, httpx and GenAI openai",
        environment=STOCK,
        setup="stock_otel",
        spans=2,
        metric="http.server.duration",
        proofs={"gateway": (3, "http.server.duration")},
        workloads=GATEWAY,
    ),
    _none("openllmetry"),
    Configuration(
        name="openllmetry",
        title="OpenLLMetry litellm, content off",
        environment="openllmetry",
        setup="openllmetry_litellm",
        environ={"TRACELOOP_TRACE_CONTENT": "false"},
        spans=1,
        metric="gen_ai.client.operation.duration",
    ),
    Configuration(
        name="openllmetry-openai",
        title="OpenLLMetry openai, content off",
        environment="openllmetry",
        setup="openllmetry_openai",
        variant=True,
        environ={"TRACELOOP_TRACE_CONTENT": "false"},
        spans=1,  # its metrics leave streams out
        workloads=(*ROUTER, *SDK),
        absent={"mock": OPENAI_SDK_ONLY},
    ),
    _none("openinference"),
    Configuration(
        name="openinference",
        title="OpenInference litellm, content hidden",
        environment="openinference",
        setup="openinference",
        environ={"OPENINFERENCE_HIDE_INPUTS": "true", "OPENINFERENCE_HIDE_OUTPUTS": "true"},
        spans=1,
    ),
    Configuration(
        name="openinference-openai",
        title="OpenInference openai, content hidden",
        environment="openinference",
        setup="openinference_openai",
        environ={"OPENINFERENCE_HIDE_INPUTS": "true", "OPENINFERENCE_HIDE_OUTPUTS": "true"},
        spans=1,
        workloads=SDK,
    ),
    _none("openlit"),
    Configuration(
        name="openlit",
        title="OpenLIT, content off",
        environment="openlit",
        setup="openlit",
        spans=1,
        metric="gen_ai.client.operation.duration",
    ),
)
"""In the order of the table."""

ENVIRONMENTS: Final = tuple(dict.fromkeys(one.environment for one in CONFIGURATIONS))


def taking_part(configurations: Iterable[Configuration], workload: Workload) -> list[Configuration]:
    """Return the configurations that take part in a workload."""
    return [one for one in configurations if workload in one.workloads]


def chosen(names: Iterable[str]) -> tuple[Configuration, ...]:
    """Return the configurations called so and the ``none`` of their environments; all without names.

    Raises:
        ValueError: no configuration is called so.
    """
    wanted = set(names)
    known = {one.name for one in CONFIGURATIONS}
    if unknown := sorted(wanted - known):
        raise ValueError(f"no configuration is called {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    if not wanted:
        return CONFIGURATIONS
    needed = {f"none@{one.environment}" for one in CONFIGURATIONS if one.name in wanted}
    return tuple(one for one in CONFIGURATIONS if one.name in wanted | needed)
