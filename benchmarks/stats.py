"""The suite's own arithmetic: percentiles, and intervals over rounds and cycles.

A sample of the suite is nested: rounds (new processes) hold cycles (turns of the same processes). What
two configurations differ by is taken within one cycle, seconds apart, so that a drift of the machine
meets both; a round's figure is the median of its cycles, the run's the mean of its rounds.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing_extensions import Self  # the runner has the standard library only

Rounds = Sequence[Sequence[float]]
"""One figure for each cycle of each round; no round is empty."""

RESAMPLES: Final = 1000
LEVEL: Final = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % bootstrap interval.

    Args:
        value: The figure.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float | None]:
        """Return it as JSON can hold it: what is infinite is None."""
        return {key: value if math.isfinite(value) else None for key, value in asdict(self).items()}

    @classmethod
    def of_dict(cls, fields: Mapping[str, float | None]) -> Self:
        """Return what `as_dict` was made of; infinite values were above."""
        return cls(**{key: math.inf if value is None else value for key, value in fields.items()})


def percentile(values: Sequence[float], share: float) -> float:
    """Return the percentile ``share`` (0 to 1), interpolated between the two nearest ranks.

    Raises:
        ValueError: there are no values, or ``share`` is no share.
    """
    if not values or not 0 <= share <= 1:
        raise ValueError(f"no percentile {share} of {len(values)} values")
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def centre(rounds: Rounds) -> float:
    """Return the mean over rounds of the median over cycles.

    Raises:
        ValueError: there is nothing to take it of.
    """
    if not rounds or not all(rounds):
        raise ValueError("no figures")
    return statistics.fmean(statistics.median(cycles) for cycles in rounds)


def difference(one: Rounds, other: Rounds) -> list[list[float]]:
    """Return ``one`` minus ``other``, cycle by cycle.

    Raises:
        ValueError: they do not have the same rounds and cycles.
    """
    return [
        [a - b for a, b in zip(left, right, strict=True)]  # pairs, not averages
        for left, right in zip(one, other, strict=True)
    ]


def estimate(rounds: Rounds) -> Estimate:
    """Return the centre of ``rounds`` with its interval."""
    return _interval(centre(rounds), rounds, lambda picked: centre(_picked(rounds, picked)))


def ratio(one: Rounds, other: Rounds) -> Estimate:
    """Return the ratio of two centres with its interval; both are resampled together.

    A denominator that is not above zero, in the sample or a resample, makes that ratio infinite: what cannot
    be told from nothing is no measure for anything.
    """

    def divided(left: Rounds, right: Rounds) -> float:
        below = centre(right)
        return centre(left) / below if below > 0 else math.inf

    return _interval(divided(one, other), one, lambda picked: divided(_picked(one, picked), _picked(other, picked)))


_Picked = list[tuple[int, list[int]]]


def _interval(value: float, rounds: Rounds, figure: Callable[[_Picked], float]) -> Estimate:
    chance = random.Random(0)  # the same data gives the same interval
    found: list[float] = []
    for _ in range(RESAMPLES):
        picked: _Picked = []
        for number in chance.choices(range(len(rounds)), k=len(rounds)):
            cycles = len(rounds[number])
            picked.append((number, chance.choices(range(cycles), k=cycles)))
        found.append(figure(picked))
    found.sort()
    tail = (1 - LEVEL) / 2
    # The nearest ranks, not interpolated: an infinite ratio may be among them.
    return Estimate(value, found[round(tail * (RESAMPLES - 1))], found[round((1 - tail) * (RESAMPLES - 1))])


def _picked(rounds: Rounds, picked: _Picked) -> list[list[float]]:
    return [[rounds[number][cycle] for cycle in cycles] for number, cycles in picked]
