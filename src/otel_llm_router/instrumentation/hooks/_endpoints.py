"""Functions that a web framework took before they could be wrapped.

Room: `instrumentation`. ``@app.post("/chat")`` hands the function itself to the framework while the module
is being imported; a wrapper that is put into the module afterwards would never be called. What took it is
found among the module's own objects, and is given the wrapper too: FastAPI's and Starlette's routes, Flask's
view functions.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

from otel_llm_router.telemetry.instrumenting import guard

Undo = Callable[[], None]


def replace(module: Any, function: Any, wrapper: Any) -> list[Undo]:
    """Put ``wrapper`` in the place of ``function`` where the module's objects hold it; return how to undo it."""
    undo: list[Undo] = []
    with guard("hooks.endpoints"):
        for holder in list(_own(module).values()):
            for route in _routes(holder):
                if getattr(route, "endpoint", None) is function:
                    undo.extend(_put(route, function, wrapper))
            views: Any = _own(holder).get("view_functions")
            if isinstance(views, dict):
                undo.extend(_put_view(cast("dict[str, Any]", views), function, wrapper))
    return undo


def _own(holder: Any) -> dict[str, Any]:
    """Return an object's own attributes: asking for others could run its code."""
    try:
        return cast("dict[str, Any]", vars(holder))
    except TypeError:
        return {}


def _routes(holder: Any) -> Iterator[Any]:
    for owner in (holder, _own(holder).get("router")):
        routes: Any = _own(owner).get("routes")
        if isinstance(routes, list):
            yield from cast("list[Any]", routes)


def _put_view(views: dict[str, Any], function: Any, wrapper: Any) -> Iterator[Undo]:
    for name in [name for name, view in views.items() if view is function]:
        views[name] = wrapper
        yield partial(views.__setitem__, name, function)


def _put(route: Any, function: Any, wrapper: Any) -> Iterator[Undo]:
    route.endpoint = wrapper
    yield partial(setattr, route, "endpoint", function)
    dependant: Any = getattr(route, "dependant", None)
    starlette: Any = sys.modules.get("starlette.routing")
    if dependant is not None and dependant.call is function:  # FastAPI calls this
        dependant.call = wrapper
        yield partial(setattr, dependant, "call", function)
    elif starlette is not None and type(route) is starlette.Route:  # Starlette calls what it made of it
        before = route.app
        route.app = starlette.request_response(wrapper)
        yield partial(setattr, route, "app", before)
