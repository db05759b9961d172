"""Options: declared once, and what ``opentelemetry-instrument`` makes flags of is exactly them."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from otel_llm_router import environment_variables
from otel_llm_router.signals import OPTIONS, Option, options


def _defined() -> dict[str, object]:
    return {name: value for name, value in vars(environment_variables).items() if name.startswith("OTEL_")}


def test_the_module_of_environment_variables_defines_the_options_and_no_other():
    assert _defined() == {option.env: option.env for option in OPTIONS}


def test_it_defines_no_name_that_another_package_defines():
    """``opentelemetry-instrument`` stops working when two modules define one variable."""
    others: set[str] = set()
    for entry in entry_points(group="opentelemetry_environment_variables"):
        if entry.name != "otel_llm_router":
            others |= {name for name in dir(entry.load()) if name.startswith("OTEL_")}
    assert others
    assert not others & set(_defined())


def test_every_option_is_a_flag_of_opentelemetry_instrument():
    result = subprocess.run(
        [sys.executable, "-c", "from opentelemetry.instrumentation.auto_instrumentation import run; run()", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    for option in OPTIONS:
        assert option.flag in result.stdout


@pytest.mark.parametrize("option", OPTIONS, ids=lambda one: one.name)
def test_an_option_is_complete_and_its_default_is_allowed(option: Option):
    assert option.env == options.PREFIX + option.name.upper()
    assert option.flag == "--llm_router_" + option.name
    assert re.fullmatch(r"[a-z][a-z_]*", option.name)
    assert option.description.endswith(".")
    types = {"bool": bool, "int": int, "float": float, "str": str, "choice": str, "path": str, "set": str}
    assert type(option.default) is types[option.type]
    assert bool(option.choices) == (option.type in {"choice", "set"})
    if option.type == "choice":
        assert option.default in option.choices
    if isinstance(option.default, (int, float)) and not isinstance(option.default, bool):
        assert option.minimum is None or option.default >= option.minimum
        assert option.maximum is None or option.default <= option.maximum


def test_names_variables_and_aliases_are_unique():
    names = [
        name for option in OPTIONS for name in (option.name, option.env, *option.aliases, *option.inverted_aliases)
    ]
    assert len(set(names)) == len(names)


def test_every_module_level_option_is_listed():
    declared = {value for value in vars(options).values() if isinstance(value, Option)}
    assert declared == set(OPTIONS)


@pytest.mark.parametrize(
    ("option", "allowed"),
    [
        (Option(name="a", env="OTEL_A", type="bool", default=True, description=""), "true or false"),
        (Option(name="a", env="OTEL_A", type="str", default="", description=""), "any text"),
        (Option(name="a", env="OTEL_A", type="choice", default="x", choices=("x", "y"), description=""), "one of x, y"),
        (
            Option(name="a", env="OTEL_A", type="set", default="", choices=("x", "y"), description=""),
            "any of x, y, with commas between them",
        ),
        (Option(name="a", env="OTEL_A", type="int", default=0, description=""), "a whole number"),
        (
            Option(name="a", env="OTEL_A", type="int", default=0, minimum=1, description=""),
            "a whole number of at least 1",
        ),
        (
            Option(name="a", env="OTEL_A", type="float", default=0.0, minimum=0, maximum=60, description=""),
            "a number from 0 to 60",
        ),
    ],
)
def test_what_may_be_written_is_said_in_words(option: Option, allowed: str):
    assert option.allowed == allowed


def test_every_option_says_what_may_be_written():
    assert all(option.allowed for option in OPTIONS)
