from __future__ import annotations

from pathlib import Path

import pytest

from otel_llm_router._resources import ResourceNotFoundError, resource_dir


def test_this_checkout() -> None:
    assert (resource_dir("collector-config") / "base.yaml").is_file()


def test_an_installed_wheel(tmp_path: Path) -> None:
    shipped = tmp_path / "site-packages" / "otel_llm_router" / "_data" / "dashboards"
    shipped.mkdir(parents=True)
    assert resource_dir("dashboards", package=tmp_path / "site-packages" / "otel_llm_router") == shipped


def test_a_strangers_directory_beside_site_packages_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "dashboards").mkdir()
    with pytest.raises(ResourceNotFoundError, match="Install the package from its wheel"):
        resource_dir("dashboards", package=tmp_path / "site-packages" / "otel_llm_router")
