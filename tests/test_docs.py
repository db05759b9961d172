"""The pages that people read: their links lead somewhere, their code is Python and uses what exists."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from otel_llm_router import telemetry, testing
from otel_llm_router.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [
    page
    for page in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("collector-config/*.md"),
    )
    if page.exists()
]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in HEADING.findall(page.read_text())
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        found = (page.parent / file).resolve() if file else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


def blocks() -> list[tuple[str, str]]:
    return [
        (f"{page.name}-{number}", block)
        for page in PAGES
        for number, block in enumerate(BLOCK.findall(page.read_text()), 1)
    ]


@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in blocks()])
def test_code_uses_what_exists(code: str) -> None:
    wrapped = f"async def page():\n{textwrap.indent(code, '    ')}"  # some snippets await
    for node in ast.walk(ast.parse(wrapped)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "router" and "import Router" not in code:
                assert node.attr in telemetry.__all__
            if node.value.id == "testing":
                assert hasattr(testing, node.attr)


COMMAND = re.compile(r"^ {4}otel-llm-router ([a-z]+(?:-[a-z]+)*(?: [a-z]+)?)", re.MULTILINE)
COMMANDS = sorted({command.strip() for page in PAGES for command in COMMAND.findall(page.read_text())})


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_exist(command: str) -> None:
    assert CliRunner().invoke(main, [*command.split(), "--help"]).exit_code == 0


def test_the_manual_api_page_runs(tmp_path: Path) -> None:
    """What the page says one can ask for is what is recorded."""
    script = tmp_path / "page.py"
    script.write_text(
        "from otel_llm_router import telemetry as router\n"
        "def handle(body):\n"
        "    with router.request(body['model']), router.attempt('openai', 'gpt-4o'):\n"
        "        pass\n" + BLOCK.findall((ROOT / "docs/manual-api.md").read_text())[-1]
    )
    subprocess.run([sys.executable, script], check=True, timeout=60)
