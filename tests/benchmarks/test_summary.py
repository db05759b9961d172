from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from benchmarks import summary
from benchmarks.configurations import CONFIGURATIONS, chosen, taking_part


def blocks(name: str, *figures: Sequence[float]) -> list[dict[str, Any]]:
    """One block for each figure, one round for each sequence."""
    return [
        {
            "configuration": name,
            "round": number,
            "cycle": cycle,
            "turn": 0,
            "kind": "plain",
            "concurrency": 1,
            **dict.fromkeys(summary.FIELDS, value),
        }
        for number, values in enumerate(figures)
        for cycle, value in enumerate(values)
    ]


def test_figures_nest_by_round_in_the_order_of_cycles():
    mixed = list(reversed(blocks("ours", [1, 2], [3, 4])))
    assert summary.nested(mixed, "loop_us") == [[1, 2], [3, 4]]


def test_only_what_both_have_is_paired():
    assert summary.paired(blocks("a", [10, 20, 30]), blocks("b", [1, 2]), "loop_us") == [[9, 18]]


def test_each_is_compared_with_none_of_its_own_environment():
    rows = chosen({"ours", "openllmetry"})
    data = [
        *blocks("none@own", [100, 100], [100, 100]),
        *blocks("ours", [110, 110], [110, 110]),
        *blocks("none@openllmetry", [200, 200], [200, 200]),
        *blocks("openllmetry", [240, 240], [240, 240]),
    ]
    found = summary.cell(data, {}, rows)
    assert found["lightest"] == "openllmetry"
    assert found["rows"]["ours"]["added_process_us"]["value"] == 10
    assert found["rows"]["openllmetry"]["added_process_us"]["value"] == 40
    assert found["rows"]["ours"]["times_lightest"]["value"] == pytest.approx(0.25)
    assert "added_process_us" not in found["rows"]["none@own"]


def test_the_lightest_peer_is_no_control_and_not_ours():
    rows = chosen({"ours", "no-op", "litellm-otel", "litellm-prometheus"})
    data = [
        *blocks("none@own", [100]),
        *blocks("no-op", [101]),
        *blocks("ours", [105]),
        *blocks("litellm-otel", [150]),
        *blocks("litellm-prometheus", [190]),
    ]
    assert summary.cell(data, {}, rows)["lightest"] == "litellm-otel"


def test_what_has_no_figures_is_a_row_with_the_reason():
    rows = chosen({"ours", "openlit"})
    data = [*blocks("none@own", [100]), *blocks("ours", [105]), *blocks("openlit", [300])]
    found = summary.cell(data, {"none@openlit": "did not start"}, rows)["rows"]
    assert found["none@openlit"] == {"reason": "did not start"}
    assert found["openlit"] == {"reason": "its environment's none has no figures"}


def test_a_chunk_costs_what_a_stream_adds_beyond_a_plain_request():
    plain = {"added_process_us": {"value": 20, "low": 10, "high": 30}}
    stream = {"added_process_us": {"value": 60, "low": 50, "high": 90}}
    found = summary.per_chunk(plain, stream, 100)
    assert (found.value, found.low, found.high) == pytest.approx((0.4, 0.2, 0.8))


def test_every_environment_has_its_own_none():
    nones = {one.environment for one in CONFIGURATIONS if one.name == f"none@{one.environment}"}
    assert nones == {one.environment for one in CONFIGURATIONS}


def test_what_watches_litellm_only_is_no_row_of_a_gateway_without_it():
    names = {one.name for one in taking_part(CONFIGURATIONS, "wire")}
    assert names == {"none@own", "ours", "ours-sdk", "none@genai-openai", "stock-otel"}


def test_a_chosen_configuration_brings_its_none():
    assert [one.name for one in chosen({"openlit"})] == ["none@openlit", "openlit"]


def test_an_unknown_name_is_said_with_the_known_ones():
    with pytest.raises(ValueError, match=r"nobody; there are: .*openlit"):
        chosen({"nobody"})
