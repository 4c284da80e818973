"""Whether more rows would help: on learning curves whose law is known, and on few rows."""

import json
from dataclasses import replace

import numpy as np
import pytest

from shoal.diagnose import findings
from shoal.diagnose.checks.rows import more_rows
from shoal.experiments.learning_curve import fitted
from shoal.interval import Interval
from shoal.measurements import LearningCurve, Measurements
from shoal.metrics import METRICS

from .cases import case

ROWS = (250, 410, 673, 1104, 1811, 2972, 4876, 8000)


def curve(floor, exponent, error=0.12, scatter=0.005, seeds=5):
    """Measured on 8,000 rows, where the law is at ``error``."""
    rng = np.random.default_rng(0)
    law = floor + (error - floor) * (np.array(ROWS) / ROWS[-1]) ** -exponent
    dev = law[:, None] * (1 + scatter * rng.normal(size=(len(ROWS), seeds)))
    return fitted(ROWS, dev.tolist(), dev.tolist(), 100, seed=0)


def of(learning_curve, **errors):
    """A case with that curve."""
    given = {"train": 0.10, "dev": 0.12, "test": 0.12, "target": 0.10, **errors}
    return replace(case(**given), measured=Measurements(learning_curve=learning_curve))


def finding(code, diseased):
    return next((each for each in findings(diseased) if each.code == code), None)


def the(code, diseased):
    """The finding of that code, which must be there."""
    seen = finding(code, diseased)
    assert seen is not None
    return seen


def test_a_steep_curve_asks_for_more_rows_and_says_what_they_are_worth():
    seen = finding("SH501", of(curve(0.0, 0.5)))
    assert seen is not None and seen.outcome == "found" and seen.severity == "medium"
    gain = 0.12 * (1 - 2**-0.5)  # by the law that was put in
    assert seen.gain == pytest.approx(gain, rel=0.1)
    low, high = seen.evidence["gain_of_doubling"][1:]
    assert low < gain < high
    # one per cent less of a pure law of exponent 1/2 takes 1/0.99^2 as many rows
    few, many = seen.evidence["rows_for_one_percent"][1:]
    assert few < 8000 * (0.99**-2 - 1) < many
    assert "16,000" in seen.text and "from 12 %" in seen.text


def test_a_flat_curve_and_a_curve_at_its_floor_are_healthy():
    assert finding("SH501", of(curve(0.0, 0.02))) is None
    assert finding("SH501", of(curve(0.119, 1.0))) is None


def test_a_noisy_curve_near_the_limit_cannot_tell_and_says_how_many_seeds_would():
    seen = finding("SH501", of(curve(0.0, 0.15, scatter=0.06, seeds=3)))
    assert seen is not None and seen.outcome == "cannot tell"
    assert "more random seed" in seen.text or "no reasonable number" in seen.text
    assert seen.advice == ""


def test_without_a_curve_the_question_does_not_apply():
    seen = finding("SH501", case(train=0.10, dev=0.12, target=0.10))
    assert seen is not None and seen.outcome == "not applicable"


def plain_curve(doubled, rows_for_one_percent):
    errors = ((0.2,), (0.131,))
    now = Interval(0.131, 0.128, 0.134)
    return LearningCurve((2000, 4000), errors, errors, 1, now, now, now, doubled, rows_for_one_percent)


def test_the_answer_in_words():
    text = more_rows(plain_curve(Interval(0.006, 0.002, 0.009), (803.0, 512.0, 1990.0)), METRICS["error"], "network")
    assert text == (
        "With twice the training rows (8,000) the dev error of one network would fall from 13.1 % to about 12.5 % (12.2 % to 12.9 %). "
        "1 % less error, of itself, takes about 810 more rows (520 to 2,000)."
    )


def test_rows_that_would_never_be_enough_are_said_so():
    gain = Interval(0.006, 0.002, 0.009)
    assert "(at least 520)" in more_rows(plain_curve(gain, (803.0, 512.0, None)), METRICS["error"])
    never = more_rows(plain_curve(gain, (None, 512.0, None)), METRICS["error"])
    assert "no number of rows" in never and "the dev error would fall" in never


def test_a_hundred_training_rows_are_very_few():
    few = case(train=(120, 0.10), dev=(40, 0.15), test=(40, 0.15), target=0.10)
    assert {gap.name: gap.high for gap in few.verdict.gaps}["variance"] == "cannot tell"
    seen = finding("SH502", few)
    assert seen is not None and seen.outcome == "found" and "120" in seen.text
    json.dumps(seen.evidence, allow_nan=False)


def test_many_rows_are_not_few_even_where_the_variance_is_open():
    open_question = case(train=(5000, 0.1), dev=(300, 0.13), test=(300, 0.13), target=0.1)
    assert finding("SH502", open_question) is None


def test_few_rows_are_not_said_twice():
    """Where the variance is high, or settled, or a learning curve has the answer."""
    assert finding("SH502", case(train=(150, 0.0), dev=(4000, 0.3), test=(4000, 0.3), target=0.0)) is None
    assert finding("SH502", case(train=(199, 0.0), dev=(4000, 0.0), test=(4000, 0.0), target=0.0)) is None
    steep = of(curve(0.0, 0.5), train=(120, 0.10), dev=(40, 0.15), test=(40, 0.15))
    assert the("SH501", steep).outcome == "found" and finding("SH502", steep) is None
