"""Who is sending: the resource of everything that leaves the process.

Room: `distro`.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.resources import Resource, ResourceDetector

from otel_llm_router import redaction
from otel_llm_router._version import DISTRIBUTION, __version__

DEFAULT_SERVICE_NAME = "llm-router"
"""Service name where nobody gives one; unlike OpenTelemetry's ``unknown_service`` it says what it is."""


def attributes() -> Mapping[str, str | int]:
    """Return what the distribution adds to a resource."""
    return {
        "host.name": socket.gethostname(),
        "process.pid": os.getpid(),
        "telemetry.distro.name": DISTRIBUTION,
        "telemetry.distro.version": __version__,
        "service.instance.id": str(uuid.uuid4()),
    }


class RouterResourceDetector(ResourceDetector):
    """The same for resources that are built elsewhere.

    Name it ``otel_llm_router`` in ``OTEL_EXPERIMENTAL_RESOURCE_DETECTORS`` or in a configuration file.
    """

    def detect(self) -> Resource:
        """Return a resource with what the distribution adds."""
        return Resource(attributes())


def build(auto_instrumentation_version: str | None) -> Resource:
    """Build the resource from the environment, with defaults for what it does not say."""
    own = dict(attributes())
    if auto_instrumentation_version:
        own["telemetry.auto.version"] = auto_instrumentation_version
    resource = Resource(own).merge(Resource.create())  # the environment has the last word, instance id included
    name = str(resource.attributes.get("service.name", ""))
    if not name or name.startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": DEFAULT_SERVICE_NAME}))
    return without_secrets(resource)


def without_secrets(resource: Resource) -> Resource:
    """Return a resource without secrets, such as the ones of a command line or of ``OTEL_RESOURCE_ATTRIBUTES``."""
    found: dict[str, Any] = {}
    for key, value in resource.attributes.items():
        hidden = redaction.value(key, value)
        if hidden is not value:
            found[key] = hidden
    return resource.merge(Resource(found)) if found else resource


def identity(found: Mapping[str, object]) -> tuple[str, str, str]:
    """Return what tells a service from others on its host, from the attributes of its resource."""
    name = str(found.get("service.name", ""))
    # Nobody has said what service this is: others that nobody has named are not the same.
    unnamed = name == DEFAULT_SERVICE_NAME or name.startswith("unknown_service")
    place = os.getcwd() if unnamed else ""  # noqa: PTH109  # text
    return str(found.get("service.namespace", "")), name, place
