from __future__ import annotations

import math

import pytest

from benchmarks import stats


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, 1.0), (0.25, 2.0), (0.5, 3.0), (0.99, 4.96), (1.0, 5.0)],
)
def test_a_percentile_lies_between_the_nearest_ranks(share: float, expected: float):
    assert stats.percentile([5.0, 1.0, 4.0, 2.0, 3.0], share) == pytest.approx(expected)


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 1.1), ([1.0], -0.1)])
def test_a_percentile_of_nothing_is_refused(values: list[float], share: float):
    with pytest.raises(ValueError, match="no percentile"):
        stats.percentile(values, share)


def test_the_centre_is_the_mean_of_the_rounds_medians():
    assert stats.centre([[1.0, 2.0, 300.0], [4.0]]) == 3.0


@pytest.mark.parametrize("rounds", [[], [[1.0], []]])
def test_a_centre_of_nothing_is_refused(rounds: list[list[float]]):
    with pytest.raises(ValueError, match="no figures"):
        stats.centre(rounds)


def test_differences_are_taken_pair_by_pair():
    assert stats.difference([[3.0, 5.0], [1.0]], [[1.0, 1.0], [2.0]]) == [[2.0, 4.0], [-1.0]]


def test_rounds_of_different_lengths_are_no_pairs():
    with pytest.raises(ValueError, match=r"shorter|longer"):
        stats.difference([[1.0, 2.0]], [[1.0]])


def test_an_interval_of_equal_figures_is_a_point():
    assert stats.estimate([[7.0, 7.0], [7.0]]) == stats.Estimate(7.0, 7.0, 7.0)


def test_an_interval_holds_its_figure_and_stays_within_the_data():
    found = stats.estimate([[1.0, 2.0, 3.0], [2.0, 3.0, 9.0], [1.0, 4.0, 5.0]])
    assert 1.0 <= found.low < found.value < found.high <= 9.0


def test_the_same_data_has_the_same_interval():
    rounds = [[1.0, 5.0, 2.0], [3.0, 8.0, 1.0]]
    assert stats.estimate(rounds) == stats.estimate(rounds)


def test_a_ratio_resamples_both_together():
    base = [[10.0, 200.0, 30.0], [500.0, 20.0, 7.0]]
    half = [[value / 2 for value in cycles] for cycles in base]
    found = stats.ratio(half, base)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))


def test_a_ratio_to_what_cannot_be_told_from_nothing_is_infinite():
    assert stats.ratio([[1.0]], [[-1.0]]).value == math.inf
    found = stats.ratio([[1.0, 1.0, 1.0]], [[-5.0, 5.0, 6.0]])
    assert found.value < math.inf
    assert found.high == math.inf
