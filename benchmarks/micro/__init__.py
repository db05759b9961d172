"""Micro benchmarks: one operation, beside the same operation of the stock SDK and of `prometheus_client`.

Each module has a ``measure`` that returns passes by figure; contenders take turns within one process, and
every one must show at its door what it was given. ``python -m benchmarks.micro NAME`` runs one of them and
prints JSON.
"""
