"""Every attribute that our metrics, spans and events may carry.

Room: `signals`. Attributes on metrics are either closed (``values``) or bounded (``bound``);
attributes with neither appear on spans and events only. Each is declared in the module of its
subject, and is an attribute of this package.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Attribute as Attribute
from otel_llm_router.signals.attributes._audit import *
from otel_llm_router.signals.attributes._gen_ai import *
from otel_llm_router.signals.attributes._logs import *
from otel_llm_router.signals.attributes._outcomes import *
from otel_llm_router.signals.attributes._resources import *
from otel_llm_router.signals.attributes._routing import *
from otel_llm_router.signals.attributes._self_telemetry import *
from otel_llm_router.signals.attributes._spans import *
