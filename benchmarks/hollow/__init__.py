"""The isolated workload: a hollow Router, in which a request costs next to nothing but its telemetry.

The object, its classes and the order of calls are LiteLLM's and the openai SDK's own; the bodies of the
functions that telemetries hook are replaced, before anything hooks them, by ones that call each other with the
same arguments and give the same answer each time. What a configuration adds to ``none`` is then its own work on
one request, with warm caches.
"""
