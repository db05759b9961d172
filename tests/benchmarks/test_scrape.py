"""The scrapes that are measured against each other show the same."""

from __future__ import annotations

import pytest

from benchmarks.micro import scrape


def test_all_contenders_show_the_same_samples():
    count, calls = scrape.contenders(60)
    assert set(calls) == {
        f"{name}{suffix}"
        for name in ("ours", "stock exporter", "prometheus_client", "merged over 4")
        for suffix in ("", ", OpenMetrics")
    }
    for name, call in calls.items():
        body = call()
        assert len(scrape.shown(body)) == count
        assert body.endswith(b"# EOF\n") is name.endswith("OpenMetrics")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"counter_0_total 2.0\n", "shows other series"),
        (b'counter_0_total{k="v"} 2.0\ncounter_1_total 1.0\n', "shows other series"),
        (b'counter_0_total{k="v"} 3.0\n', "shows 3 for .*, not 2"),
    ],
)
def test_a_contender_that_shows_something_else_is_not_measured(body: bytes, message: str):
    expected = scrape.shown(b'counter_0_total{k="v",otel_scope_name="s"} 1.0\ntarget_info 1.0\n')
    scrape.expect_same("it", scrape.shown(b'counter_0_total{k="v"} 2.0\n'), expected, times=2)
    with pytest.raises(RuntimeError, match=message):
        scrape.expect_same("it", scrape.shown(body), expected, times=2)
