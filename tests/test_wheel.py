"""What a plain installation brings."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory], cwd=ROOT, check=True)
    with zipfile.ZipFile(next(directory.glob("*.whl"))) as wheel:
        return set(wheel.namelist())


def test_it_ships_what_the_commands_export(names: set[str]) -> None:
    shipped = [
        *ROOT.glob("dashboards/*.json"),
        *ROOT.glob("collector-config/**/*.*"),
        ROOT / "collector-config/Kustomization",
    ]
    shipped += [path for path in ROOT.glob("deploy/**/*") if path.is_file()]
    assert shipped
    assert names >= {f"otel_llm_router/_data/{file.relative_to(ROOT)}" for file in shipped}


def test_it_ships_nothing_else(names: set[str]) -> None:
    code = {str(file.relative_to(ROOT / "src")) for file in ROOT.glob("src/**/*.py")}
    others = {name for name in names - code if "/_data/" not in name and ".dist-info/" not in name}
    profiles = {str(file.relative_to(ROOT / "src")) for file in ROOT.glob("src/**/profiles/*.yaml")}
    assert len(profiles) > 1
    assert others == {"otel_llm_router/py.typed", *profiles}
    assert not [name for name in names if "__pycache__" in name or "dashboards/source" in name]


def test_entry_points_load() -> None:
    groups = ["distro", "configurator", "environment_variables", "resource_detector", "post_instrument", "instrumentor"]
    ours = {
        (group, entry.name): entry.load()
        for group in groups
        for entry in entry_points(group=f"opentelemetry_{group}")
        if entry.value.startswith("otel_llm_router")
    }
    assert set(ours) == {
        *((group, "otel_llm_router") for group in groups[:-1]),
        *(
            ("instrumentor", f"llm_router_{name}")
            for name in ("asgi", "hooks", "litellm", "llama_cpp", "logging", "redis", "transformers", "wire")
        ),
    }
