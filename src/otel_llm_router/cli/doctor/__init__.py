"""The command ``otel-llm-router doctor``: what is wrong with this set-up, and what to do about it.

Room: `cli`. One module for each check: a `Situation` comes in, findings go out. `command` runs them and prints.
"""
