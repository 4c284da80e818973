"""Numbers are written with the digits their intervals justify."""

import doctest
from importlib import import_module

import pytest

from shoal.records import Interval
from shoal.report.wording import difference, number, score_span


@pytest.mark.parametrize("name", ["wording", "html", "live", "figures", "summary", "terminal"])
def test_examples_run(name):
    module = import_module(f"shoal.report.{name}")
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("interval", "metric", "written"),
    [
        (Interval(0.8561, 0.8492, 0.8630), "accuracy", "85.6 % (84.9 to 86.3)"),
        (Interval(0.99912, 0.99905, 0.99919), "accuracy", "99.912 % (99.905 to 99.919)"),
        (Interval(124900.0, 115788.0, 134012.0), "rmse", "124,900 (115,788 to 134,012)"),
        (Interval(0.0, 0.0, 0.0), "error", "0 % (0 to 0)"),
        (Interval(1e-7, 0.0, 2e-7), "rmse", "1e-07 (0 to 2e-07)"),
    ],
)
def test_score_has_the_digits_of_its_interval(interval, metric, written):
    assert score_span(interval, metric) == written


def test_negative_gap_keeps_its_sign():
    assert difference(Interval(-0.004, -0.011, 0.003), "error") == "-0.4 points (-1.1 to +0.3)"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_number_that_does_not_exist_is_a_dash(value):
    assert number(value) == "\N{EN DASH}"
