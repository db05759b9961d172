"""The manifests as they are applied: kustomize's overlays put together, and the Compose file with its defaults filled in.

Only as much of kustomize as the overlays use; where kubectl is, a test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "collector-config"
KUBERNETES = ROOT / "deploy" / "kubernetes"
COMPOSE = ROOT / "deploy" / "compose"
OVERLAYS = ("annotations", "operator", "kafka")

Document = dict[str, Any]


def documents(path: Path) -> list[Document]:
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def kustomization(directory: Path) -> Document:
    (path,) = [directory / name for name in ("kustomization.yaml", "Kustomization") if (directory / name).is_file()]
    (document,) = documents(path)
    return document


def config_maps(directory: Path) -> list[Document]:
    """What a configMapGenerator makes, without the hash in the names."""
    made: list[Document] = []
    for generator in kustomization(directory).get("configMapGenerator", []):
        data: dict[str, str] = {}
        for entry in generator.get("files", []):
            key, _, path = entry.rpartition("=")
            data[key or Path(path).name] = (directory / path).read_text(encoding="utf-8")
        data |= dict(literal.split("=", 1) for literal in generator.get("literals", []))
        made.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": data})
    return made


def built(directory: Path, known: list[Document] | None = None) -> list[Document]:
    """Put together what a kustomization says."""
    found = list(known or [])
    content = kustomization(directory)
    for name in content.get("resources", []):
        path = directory / name
        found += built(path.resolve()) if path.is_dir() else documents(path)
    found += config_maps(directory)
    for name in content.get("components", []):
        found = built((directory / name).resolve(), found)
    for patch in content.get("patches", []):
        (change,) = documents(directory / patch["path"])
        (target,) = [one for one in found if identity(one) == identity(change)]
        found[found.index(target)] = merged(target, change)
    return found


def identity(document: Document) -> tuple[str, str]:
    return document["kind"], document["metadata"]["name"]


def merged(target: Any, change: Any) -> Any:
    """Merge as kustomize does: containers and variables by name; other lists are replaced."""
    if isinstance(target, dict) and isinstance(change, dict):
        target, change = cast("Document", target), cast("Document", change)
        keys = {**target, **change}
        return {
            key: merged(target[key], change[key]) if key in target and key in change else value
            for key, value in keys.items()
        }
    if not isinstance(target, list):
        return change
    old, new = cast("list[Any]", target), cast("list[Any]", change)
    if not all(isinstance(one, Mapping) and "name" in one for one in (*old, *new)):
        return new
    changed: dict[str, Any] = {one["name"]: one for one in new}
    kept = [merged(one, changed.pop(one["name"])) if one["name"] in changed else one for one in old]
    return [*changed.values(), *kept]


def overlay(name: str) -> list[Document]:
    return built(KUBERNETES / "overlays" / name)


def pick(found: list[Document], kind: str, name: str) -> Document:
    (one,) = [one for one in found if identity(one) == (kind, name)]
    return one


def workloads(found: list[Document]) -> list[Document]:
    return [one for one in found if one["kind"] in {"DaemonSet", "StatefulSet", "Deployment"}]


def container(workload: Document) -> Document:
    (one,) = workload["spec"]["template"]["spec"]["containers"]
    return one


def environment(workload: Document, found: list[Document]) -> dict[str, str]:
    """Variables of a workload's container; of a secret or a field, its name in brackets."""
    one = container(workload)
    values: dict[str, str] = {}
    for source in one.get("envFrom", []):
        values |= pick(found, "ConfigMap", source["configMapRef"]["name"])["data"]
    for entry in one.get("env", []):
        values[entry["name"]] = entry.get("value") or f"<{next(iter(entry['valueFrom']))}>"
    return values


_VARIABLE = re.compile(r"\$\{env:(\w+)(:-[^}]*)?\}")


def read_by(text: str) -> tuple[set[str], set[str]]:
    """Variables that a Collector's configuration cannot do without, and all that it reads."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    found = _VARIABLE.findall(lines)
    return {name for name, default in found if not default}, {name for name, _ in found}


def queues(texts: list[str]) -> int:
    """Number of queues on disk that configuration files make: one for each pipeline that ends in an exporter with one."""
    exporters: dict[str, Any] = {}
    pipelines: dict[str, Any] = {}
    for text in texts:
        content: Document = yaml.safe_load(text)
        exporters |= content.get("exporters", {})
        for name, pipeline in content["service"]["pipelines"].items():
            pipelines[name] = {**pipelines.get(name, {}), **pipeline}
    on_disk = {name for name, one in exporters.items() if one and "storage" in (one.get("sending_queue") or {})}
    return sum(name in on_disk for pipeline in pipelines.values() for name in pipeline["exporters"])


_DEFAULT = re.compile(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}")


def compose() -> Document:
    """The Compose file with the default of each variable; one without a default is its own name."""
    text = (COMPOSE / "compose.yaml").read_text(encoding="utf-8").replace("$$", "\0")
    filled = _DEFAULT.sub(lambda found: found[2] if found[2] is not None else found[1], text)
    return yaml.safe_load(filled.replace("\0", "$"))


def mebibytes(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+) ?([KMG]i?|[kmg])?(?:B|b)?", text, re.ASCII).groups()  # pyright: ignore[reportOptionalMemberAccess]
    powers = {"k": -1, "m": 0, "g": 1}
    return float(number) * 1024 ** (powers[unit[0].lower()] if unit else -2)
