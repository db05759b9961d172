"""The command ``otel-llm-router alerts``: how alerts reach people.

Room: `cli`. The options of alerts come in as `_channels`; Alertmanager's configuration (`_alertmanager`), test
messages (`_testing`) and one JSON object for each alert (`_relay`) go out. Nothing here runs inside a router.
"""
