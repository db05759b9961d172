"""Options: the scrape server: where it listens, whom it answers, and how a service's processes share it.

Room: `signals`.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Option

SCRAPE = Option(
    name="scrape",
    env="OTEL_LLM_ROUTER_SCRAPE",
    type="bool",
    default=True,
    description="Serve `/metrics` and the health endpoints. `OTEL_METRICS_EXPORTER` without `prometheus` turns `/metrics` off as well.",
    aliases=("PROMETHEUS_ENABLED", "ENABLE_METRICS"),
)
SCRAPE_HOST = Option(
    name="scrape_host",
    env="OTEL_LLM_ROUTER_SCRAPE_HOST",
    type="str",
    default="127.0.0.1",
    description="Address that the scrape server listens on.",
    aliases=("OTEL_EXPORTER_PROMETHEUS_HOST",),
)
SCRAPE_PORT = Option(
    name="scrape_port",
    env="OTEL_LLM_ROUTER_SCRAPE_PORT",
    type="int",
    default=9090,
    minimum=0,
    maximum=65535,
    description="Port that the scrape server listens on; 0 takes a free one and logs which.",
    aliases=("OTEL_EXPORTER_PROMETHEUS_PORT", "METRICS_PORT"),
)
SCRAPE_PATH = Option(
    name="scrape_path",
    env="OTEL_LLM_ROUTER_SCRAPE_PATH",
    type="path",
    default="/metrics",
    description="Path of the metrics; as JSON they are under it, at `/json`.",
    aliases=("METRICS_ENDPOINT",),
)
HEALTH_PATH = Option(
    name="health_path",
    env="OTEL_LLM_ROUTER_HEALTH_PATH",
    type="path",
    default="/health",
    description="Path of the health report; liveness and readiness are under it, at `/live` and `/ready`.",
    aliases=("HEALTH_ENDPOINT",),
)
PROFILER = Option(
    name="profiler",
    env="OTEL_LLM_ROUTER_PROFILER",
    type="bool",
    default=False,
    description=(
        "Serve `/debug/profile/cpu` and `/debug/profile/memory`, to those who have a token, a password or a certificate: "
        "without authentication it stays off. See [server.md](server.md)."
    ),
    aliases=("PROFILER_ENABLED",),
)
SCRAPE_LISTEN = Option(
    name="scrape_listen",
    env="OTEL_LLM_ROUTER_SCRAPE_LISTEN",
    type="bool",
    default=True,
    description=(
        "Listen on a port. Off, the same answers are to be had only from the application "
        "`otel_llm_router.export.asgi:application`, mounted into the router's own; see [server.md](server.md)."
    ),
)
SCRAPE_CACHE = Option(
    name="scrape_cache",
    env="OTEL_LLM_ROUTER_SCRAPE_CACHE",
    type="float",
    default=1.0,
    minimum=0.0,
    maximum=60.0,
    description="Seconds for which a rendered `/metrics` is good, however many ask for it; 0 renders each time.",
)
SCRAPE_TOKEN = Option(
    name="scrape_token",
    env="OTEL_LLM_ROUTER_SCRAPE_TOKEN",
    type="str",
    default="",
    description="Bearer token that the scrape server asks for, but for `/health/live` and `/health/ready`.",
    secret=True,
)
SCRAPE_TOKEN_FILE = Option(
    name="scrape_token_file",
    env="OTEL_LLM_ROUTER_SCRAPE_TOKEN_FILE",
    type="str",
    default="",
    description="File that holds that token; read again when it changes.",
)
SCRAPE_USERS_FILE = Option(
    name="scrape_users_file",
    env="OTEL_LLM_ROUTER_SCRAPE_USERS_FILE",
    type="str",
    default="",
    description=(
        "File of users for basic authentication, a line `name:hash` for each, with hashes of "
        "`otel-llm-router hash-password` or of bcrypt; read again when it changes."
    ),
)
SCRAPE_TLS_CERT = Option(
    name="scrape_tls_cert",
    env="OTEL_LLM_ROUTER_SCRAPE_TLS_CERT",
    type="str",
    default="",
    description="PEM file with the certificate chain of the scrape server, which then speaks TLS; loaded again when it changes.",
)
SCRAPE_TLS_KEY = Option(
    name="scrape_tls_key",
    env="OTEL_LLM_ROUTER_SCRAPE_TLS_KEY",
    type="str",
    default="",
    description="PEM file with the private key of that certificate, where it is in a file of its own.",
)
SCRAPE_TLS_CLIENT_CA = Option(
    name="scrape_tls_client_ca",
    env="OTEL_LLM_ROUTER_SCRAPE_TLS_CLIENT_CA",
    type="str",
    default="",
    description="PEM file with the certificates by which clients' certificates must be signed (mutual TLS).",
)
WORKERS = Option(
    name="workers",
    env="OTEL_LLM_ROUTER_WORKERS",
    type="bool",
    default=True,
    description=(
        "Let the processes of one service on this host share one scrape endpoint, which adds all of them up; see "
        "[workers.md](workers.md). Off, each process serves itself, and only the first one has the port. Not on Windows, "
        "and not with port 0."
    ),
)
RUNTIME_DIR = Option(
    name="runtime_dir",
    env="OTEL_LLM_ROUTER_RUNTIME_DIR",
    type="str",
    default="",
    description=(
        "Directory in which the processes of one service find each other, on a local file system; by default "
        "`XDG_RUNTIME_DIR`, or the directory for temporary files. A private one is made in it."
    ),
)
