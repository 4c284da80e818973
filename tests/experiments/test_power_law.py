"""The power law through a learning curve: against SciPy's optimiser, and how often its intervals hold the truth."""

import numpy as np
import pytest
from scipy.optimize import brentq, least_squares

from shoal.experiments.power_law import PowerLaw, fit, fit_with_draws, spanned

ROWS = np.array([250, 410, 673, 1104, 1811, 2972, 4876, 8000])


def error(rows, floor, exponent, total=0.1):
    """A law whose error with 8,000 rows is ``total``."""
    return floor + (total - floor) * (rows / 8000) ** -exponent


def curve(rng, floor, exponent, noise, misfit, seeds=5):
    """A measured curve: seeds scatter more where rows are few, and share part of their luck over the sizes."""
    scatter = (noise * (1 + 2 * np.sqrt(ROWS[0] / ROWS)))[:, None]
    luck = np.sqrt(0.3) * rng.normal(size=(1, seeds)) + np.sqrt(0.7) * rng.normal(size=(len(ROWS), seeds))
    return error(ROWS, floor, exponent)[:, None] * (1 + misfit * rng.normal(size=(len(ROWS), 1)) + scatter * luck)


@pytest.mark.parametrize("floor, exponent", [(0.0, 0.2), (0.0, 1.0), (0.05, 0.5), (0.09, 1.5)])
def test_an_exact_law_is_found(floor, exponent):
    errors = error(ROWS, floor, exponent)
    law = fit(ROWS, errors, 1 / errors**2)
    assert float(law.exponent) == pytest.approx(exponent, rel=0.01)
    assert float(law.floor) == pytest.approx(floor, abs=0.001)
    assert float(law.at(16_000)) == pytest.approx(error(16_000, floor, exponent), rel=0.002)


@pytest.mark.parametrize("seed", range(8))
def test_no_bounded_fit_of_scipys_from_many_starts_is_better(seed):
    rng = np.random.default_rng(seed)
    floor, exponent = ((0.0, 0.3), (0.05, 0.5), (0.09, 1.0), (0.1, 0.5))[seed % 4]
    errors = curve(rng, floor, exponent, 0.02, 0.02).mean(axis=1)
    weights = rng.uniform(0.5, 2, 8)

    def residuals(p):
        return np.sqrt(weights) * (p[0] + p[1] * (ROWS / 8000) ** -p[2] - errors)

    starts = [(f, 0.1 - f, e) for f in (0.0, 0.05, 0.09) for e in (0.05, 0.3, 1.0)]
    theirs = min(2 * least_squares(residuals, x0, bounds=([0, 0, 0.02], [1, 1, 2.0])).cost for x0 in starts)
    law = fit(ROWS, errors, weights)
    ours = np.sum(residuals((law.floor, law.scale, law.exponent)) ** 2)
    assert ours <= theirs * 1.005
    assert law.floor >= 0 and law.scale >= 0


def test_many_draws_are_fitted_as_each_alone():
    rng = np.random.default_rng(0)
    draws = np.stack([curve(rng, 0.05, 0.5, 0.02, 0.0).mean(axis=1) for _ in range(20)])
    together = fit(ROWS, draws, np.arange(1, 9))
    for number, one in enumerate(draws):
        alone = fit(ROWS, one, np.arange(1, 9))
        assert together.exponent[number] == alone.exponent and together.floor[number] == pytest.approx(float(alone.floor), abs=1e-12)


def test_an_error_that_grows_with_the_rows_is_a_flat_law():
    law = fit(ROWS, 0.1 + 1e-6 * ROWS, np.ones(8))
    assert float(law.scale) == 0.0 and float(law.at(8000) - law.at(16_000)) == 0.0
    assert float(law.rows_to_save(0.01)) == np.inf


def test_the_rows_that_save_a_share_are_where_the_law_is_so_much_lower():
    law = PowerLaw(np.array(0.04), np.array(0.06), np.array(0.4), 8000)
    root = brentq(lambda more: law.at(8000 + more) - 0.99 * law.at(8000), 0, 1e6)
    assert float(law.rows_to_save(0.01)) == pytest.approx(root)
    assert float(law.rows_to_save(0.7)) == np.inf  # below the floor


TRUTHS = [
    (0.0, 0.15, 0.01, 0.003), (0.0, 0.5, 0.02, 0.0), (0.05, 0.3, 0.01, 0.005), (0.05, 0.5, 0.02, 0.01), (0.08, 1.0, 0.01, 0.005),
    (0.1, 0.5, 0.01, 0.003), (0.02, 0.25, 0.005, 0.002), (0.09, 0.8, 0.02, 0.005),
]  # fmt: skip
"""Floor, exponent, scatter of a network's error over seeds, and of a size's from the law, as shares of the error."""


def test_intervals_hold_the_error_at_twice_the_rows_about_as_often_as_they_say():
    """Simulated curves of eight kinds, 40 each: at least 90 % of all and 80 % of each kind, and not by being endless."""
    rng = np.random.default_rng(7)
    held, gains, widths = [], [], []
    for kind in TRUTHS:
        future, present = error(16_000, *kind[:2]), error(8000, *kind[:2])
        for _ in range(40):
            law, draws = fit_with_draws(ROWS, curve(rng, *kind), int(rng.integers(2**31)), draws=400)
            then = spanned(float(law.at(16_000)), draws.at(16_000))
            gain = spanned(float(law.at(8000) - law.at(16_000)), draws.at(8000) - draws.at(16_000))
            held.append(then.low <= future <= then.high)
            gains.append(gain.low <= present - future <= gain.high)
            widths.append((then.high - then.low) / future)
    for answers in (held, gains):
        assert np.mean(answers) >= 0.9
        assert np.min(np.reshape(answers, (len(TRUTHS), -1)).mean(axis=1)) >= 0.8
    assert np.median(widths) < 0.12  # a plain quarter of seeds' scatter would be 0.03


def test_more_seeds_narrow_the_interval():
    rng = np.random.default_rng(3)

    def width(seeds):
        spans = []
        for _ in range(12):
            law, draws = fit_with_draws(ROWS, curve(rng, 0.05, 0.5, 0.03, 0.0, seeds), 0, draws=400)
            span = spanned(float(law.at(16_000)), draws.at(16_000))
            spans.append(span.high - span.low)
        return np.median(spans)

    assert width(20) < 0.7 * width(5)


def test_an_interval_stays_between_nothing_and_the_highest():
    assert spanned(0.01, np.linspace(0.0, 0.2, 101), 0.15).low == 0.0
    assert spanned(0.01, np.linspace(0.0, 0.2, 101), 0.15).high == 0.15


def test_errors_of_exactly_nothing_are_a_law_of_nothing():
    law, draws = fit_with_draws(ROWS, np.zeros((8, 5)), 0, draws=50)
    assert float(law.at(16_000)) == 0.0 and not draws.at(16_000).any()
