from __future__ import annotations

import re
from pathlib import Path

import pytest

from otel_llm_router._resources import resource_dir
from otel_llm_router.cli import _dirs
from otel_llm_router.cli._collector_layers import files
from otel_llm_router.cli._collector_settings import (
    HEALTH,
    LISTENERS,
    PROMETHEUS,
    TELEMETRY,
    CollectorSettings,
    default_configs,
    reachable,
    split_address,
)


class TestAddresses:
    @pytest.mark.parametrize(
        ("address", "parts"),
        [("localhost:4318", ("localhost", 4318)), ("[::1]:4318", ("::1", 4318)), ("0.0.0.0:1", ("0.0.0.0", 1))],
    )
    def test_split(self, address: str, parts: tuple[str, int]) -> None:
        assert split_address(address) == parts

    @pytest.mark.parametrize(
        "address", ["", ":4318", "localhost", "localhost:x", "localhost:65536", "::1:4318", "[::1]"]
    )
    def test_nonsense(self, address: str) -> None:
        with pytest.raises(ValueError, match="is not HOST:PORT"):
            split_address(address)

    @pytest.mark.parametrize(
        ("address", "host"), [("0.0.0.0:1", "127.0.0.1"), ("[::]:1", "::1"), ("192.0.2.1:1", "192.0.2.1")]
    )
    def test_a_wildcard_is_reached_on_the_loopback_interface(self, address: str, host: str) -> None:
        assert reachable(address) == (host, 1)

    def test_free_ports_are_distinct(self, tmp_path: Path) -> None:
        settings = CollectorSettings.on_free_ports(tmp_path)
        addresses = {settings.address(listener) for listener in LISTENERS}
        assert len(addresses) == len(LISTENERS)
        settings.check_ports()


class TestEnvironment:
    def test_defaults_are_those_of_the_configuration_file(self) -> None:
        text = "".join(path.read_text() for path in default_configs())
        for listener in LISTENERS:
            if listener is not TELEMETRY:
                assert f"${{env:{listener.variable}:-{listener.default}}}" in text
        host, port = split_address(TELEMETRY.default)
        assert f"${{env:LLM_ROUTER_COLLECTOR_TELEMETRY_HOST:-{host}}}" in text
        assert f"${{env:{TELEMETRY.variable}:-{port}}}" in text

    def test_every_variable_of_the_default_configuration_is_documented(self) -> None:
        readme = (resource_dir("collector-config") / "README.md").read_text()
        for variable in re.findall(r"env:(\w+)", "".join(path.read_text() for path in default_configs())):
            assert variable in readme or f"`{variable.removeprefix('LLM_ROUTER_COLLECTOR_TELEMETRY')}`" in readme

    def test_a_variable_without_a_default_is_missed_unless_we_set_it(self) -> None:
        settings = CollectorSettings(configs=files(["newrelic", "files"]))
        assert settings.missing() == ["LLM_ROUTER_COLLECTOR_NEWRELIC_KEY"]
        given = CollectorSettings(configs=settings.configs, variables={"LLM_ROUTER_COLLECTOR_NEWRELIC_KEY": "k"})
        assert given.missing() == []

    def test_own_metrics(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LLM_ROUTER_COLLECTOR_TELEMETRY_PORT", "9999")
        assert CollectorSettings().telemetry == "127.0.0.1:9999"
        monkeypatch.setenv("LLM_ROUTER_COLLECTOR_TELEMETRY_LEVEL", "none")
        assert TELEMETRY not in CollectorSettings().listeners()
        assert CollectorSettings(telemetry="[::1]:1").environment()["LLM_ROUTER_COLLECTOR_TELEMETRY_HOST"] == "::1"

    def test_files(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("LLM_ROUTER_COLLECTOR_LOGS_FILE", "/var/log/router.jsonl")
        assert CollectorSettings().logs_file == Path("/var/log/router.jsonl")
        assert CollectorSettings(data_dir=tmp_path).logs_file == tmp_path / "logs.jsonl"
        monkeypatch.setenv("LLM_ROUTER_COLLECTOR_STORAGE", "/var/lib/queues")
        assert CollectorSettings().storage_dirs() == [Path("/var/lib/queues")]
        assert CollectorSettings(data_dir=tmp_path).storage == tmp_path / "queues"

    def test_only_what_the_files_read_counts(self, tmp_path: Path) -> None:
        own = tmp_path / "own.yaml"
        own.write_text("exporters: {prometheus: {endpoint: '${env:LLM_ROUTER_COLLECTOR_PROMETHEUS}'}}")
        settings = CollectorSettings(configs=(own,))
        assert settings.listeners() == [PROMETHEUS]
        assert settings.files() == []
        assert settings.storage_dirs() == []
        assert HEALTH in CollectorSettings(configs=(*default_configs(), own)).listeners()


class TestDirectories:
    def test_xdg(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.platform", "linux")
        monkeypatch.delenv("LLM_ROUTER_CACHE_DIR", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
        monkeypatch.setenv("XDG_STATE_HOME", "relative")
        monkeypatch.setenv("HOME", "/home/me")
        assert _dirs.cache_dir() == Path("/xdg/otel-llm-router")
        assert _dirs.state_dir() == Path("/home/me/.local/state/otel-llm-router")

    def test_other_platforms(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("LLM_ROUTER_CACHE_DIR", raising=False)
        monkeypatch.setenv("HOME", "/Users/me")
        monkeypatch.setattr("sys.platform", "darwin")
        assert _dirs.cache_dir() == Path("/Users/me/Library/Caches/otel-llm-router")
        assert _dirs.state_dir() == Path("/Users/me/Library/Application Support/otel-llm-router")
        monkeypatch.setattr("sys.platform", "win32")
        monkeypatch.setenv("LOCALAPPDATA", "/local")
        assert _dirs.cache_dir() == Path("/local/otel-llm-router/Cache")

    def test_the_override(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("LLM_ROUTER_CACHE_DIR", str(tmp_path))
        assert _dirs.cache_dir() == tmp_path
