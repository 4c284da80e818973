"""Every verdict, on errors made to deserve it; every gap, against numbers worked out by hand."""

import re

import numpy as np
import pytest
from scipy import stats

from shoal.diagnose import PartPrediction, judge, measure
from shoal.diagnose.verdict import above, threshold
from shoal.metrics import METRICS
from shoal.records import Interval, Part

from .cases import errors, errors_of, part

VERDICTS = {
    "high bias": {"target": 0.02, "train": 0.15, "dev": 0.152},
    "high variance": {"target": 0.02, "train": 0.021, "dev": 0.11},
    "high bias and high variance": {"target": 0.0, "train": 0.15, "dev": 0.30},
    "neither": {"target": 0.10, "train": 0.101, "dev": 0.103},
    "mismatch": {"target": 0.02, "train": 0.021, "train_dev": 0.022, "dev": 0.11},
}


def rows_wanted(explanation):
    wanted = re.search(r"About ([\d,]+) more dev rows", explanation)
    assert wanted is not None
    return int(wanted[1].replace(",", ""))


@pytest.mark.parametrize("title", VERDICTS)
def test_each_verdict_of_the_method_is_reached_by_the_errors_that_deserve_it(title):
    parts = dict(VERDICTS[title])
    target = parts.pop("target")
    verdict = judge(errors_of(parts), target)
    assert verdict.title == title
    assert verdict.target_error_source == "stated"


@pytest.mark.parametrize("title", [title for title in VERDICTS if title != "neither"])
def test_a_few_rows_do_not_support_a_close_verdict(title):
    """The same error rates on 60 rows; only gaps of ten points and more may still be told."""
    parts = dict(VERDICTS[title])
    target = parts.pop("target")
    small = judge(errors_of({name: (60, error) for name, error in parts.items()}), target)
    assert any(gap.high == "cannot tell" for gap in small.gaps)


def test_a_verdict_that_the_rows_do_not_support_is_withheld_with_the_rows_that_would():
    parts = {"train": (100_000, 0.10), "dev": (500, 0.12)}
    verdict = judge(errors_of(parts), 0.10)
    variance = verdict.gaps[1]
    assert verdict.title == "cannot tell"
    assert variance.high == "cannot tell"
    more = rows_wanted(variance.explanation)
    settled = judge(errors(train=(100_000, 0.10), dev=(500 + int(1.5 * more), 0.12)), 0.10)
    assert settled.gaps[1].high == "yes"
    unsettled = judge(errors(train=(100_000, 0.10), dev=(500 + more // 4, 0.12)), 0.10)
    assert unsettled.gaps[1].high == "cannot tell"


def test_the_rows_that_would_settle_it_follow_the_square_root_law():
    """Worked by hand: gap 0.02, threshold 0.012, one-sided reach r of its interval; n grows by (r / 0.008)^2."""
    measured = errors(train=(1_000_000, 0.10), dev=(500, 0.12))
    gap = judge(measured, 0.10).gaps[1]
    reach = gap.size.value - gap.size.low
    expected = 500 * ((reach / (0.02 - 0.012)) ** 2 - 1)
    assert rows_wanted(gap.explanation) == pytest.approx(expected, rel=0.12)


def test_a_gap_on_the_threshold_is_not_promised_an_answer():
    verdict = judge(errors(train=(5_000, 0.09), dev=(5_000, 0.10)), 0.09)
    assert "no reasonable number" in verdict.gaps[1].explanation


def test_noisy_seeds_ask_for_more_seeds():
    truth = np.zeros(5_000)
    dev = np.full((3, 5_000), 1.0) + np.array([-0.5, 0.0, 0.65])[:, None]
    measured = measure({"train": PartPrediction(truth, np.full((3, 5_000), 0.8)), "dev": PartPrediction(truth, dev)}, METRICS["mae"])
    variance = judge(measured, 0.8).gaps[1]
    assert variance.high == "cannot tell"
    assert "more random seeds" in variance.explanation


def test_the_gap_has_the_interval_of_two_independent_rates():
    size = errors(train=(4_000, 0.10), dev=(1_000, 0.15)).difference("dev", "train").size
    half = 1.96 * np.sqrt(0.1 * 0.9 / 4_000 + 0.15 * 0.85 / 1_000)
    assert size.value == pytest.approx(0.05)
    assert size.low == pytest.approx(0.05 - half, abs=0.003)
    assert size.high == pytest.approx(0.05 + half, abs=0.003)


def test_seeds_that_move_both_errors_alike_do_not_widen_the_gap():
    truth = np.zeros(500)
    level = np.array([1.0, 2.0, 3.0])[:, None] * np.ones(500)
    measured = measure({"train": PartPrediction(truth, level), "dev": PartPrediction(truth, level + 0.5)}, METRICS["mae"])
    assert measured.difference("dev", "train").size == Interval(0.5, 0.5, 0.5)
    assert measured.parts["dev"].error.high > 3.0


def test_without_a_target_a_small_train_error_is_no_bias_and_a_large_one_cannot_be_told():
    low = judge(errors(train=0.002, dev=0.10))
    assert (low.gaps[0].high, low.title, low.target_error_source) == ("no", "high variance", "estimated")
    open_question = judge(errors(train=0.10, dev=0.101))
    assert open_question.title == "cannot tell"
    assert open_question.gaps[0].high == "cannot tell"
    assert "--target-error" in open_question.gaps[0].explanation


def test_a_reference_far_below_the_train_error_proves_bias():
    verdict = judge(errors(train=0.20, dev=0.21, references={"trivial": 0.5, "gradient boosting": 0.10}))
    assert verdict.title == "high bias"
    assert verdict.target_error == pytest.approx(0.10)
    assert "Gradient boosting" in verdict.gaps[0].explanation


def test_the_estimated_target_is_the_lowest_dev_error_reached():
    assert judge(errors(train=0.05, dev=0.08, references={"linear": 0.12})).target_error == pytest.approx(0.08)


def test_test_and_train_dev_add_their_gaps():
    names = [gap.name for gap in judge(errors(train=0.1, train_dev=0.1, dev=0.1, test=0.2)).gaps]
    assert names == ["avoidable bias", "variance", "mismatch", "overfitting to dev"]
    assert judge(errors(train=0.1, dev=0.1, test=0.2)).gaps[-1].high == "yes"
    assert judge(errors(train=0.1, dev=0.1, test=0.1)).gaps[-1].high == "no"


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "f1"])
def test_scores_that_grow_are_judged_by_their_error(metric):
    verdict = judge(errors(metric=metric, train=0.02, dev=0.12), 0.01)
    assert verdict.title == "high variance"
    assert verdict.gaps[1].size.value == pytest.approx(0.10, abs=0.001)
    assert verdict.text.startswith(f"With 1 - {metric}")


def test_values_are_judged_on_their_own_scale():
    rng = np.random.default_rng(0)
    for unit in (1e-6, 1.0, 1e6):
        truth = rng.normal(size=4_000) * unit
        noise = rng.normal(size=4_000) * unit
        parts: dict[Part, PartPrediction] = {
            "train": PartPrediction(truth, (truth + 0.3 * noise)[None]),
            "dev": PartPrediction(truth, (truth + 0.6 * noise)[None]),
        }
        for metric in ("rmse", "mae", "mse", "r2"):
            assert judge(measure(parts, METRICS[metric]), 0.0).title == "high bias and high variance"
        exact = PartPrediction(truth, (truth + 1e-4 * noise)[None])
        assert judge(measure({"train": exact, "dev": exact}, METRICS["rmse"]), 0.0).title == "neither"


def test_the_threshold_is_a_tenth_of_the_dev_error_and_never_below_its_floor():
    assert threshold(errors(train=0.1, dev=0.2)) == pytest.approx(0.02)
    assert threshold(errors(train=0.0, dev=0.01)) == pytest.approx(0.005)


@pytest.mark.parametrize("low, high, answer", [(0.02, 0.03, "yes"), (0.0, 0.005, "no"), (0.005, 0.02, "cannot tell")])
def test_an_answer_needs_the_whole_interval(low, high, answer):
    assert above(Interval((low + high) / 2, low, high), 0.01) == answer


def test_no_errors_on_few_rows_is_not_taken_for_perfection():
    found = measure({"train": part(40, 0.0), "dev": part(20, 0.0)}, METRICS["error"]).parts["dev"].error
    assert found.value == 0.0
    assert found.high == pytest.approx(stats.beta(0.5, 20.5).ppf(0.975), rel=0.15)


def test_the_verdict_says_the_numbers_it_rests_on():
    text = judge(errors(train=0.02, dev=0.11), 0.01).text
    for number in ("1 % as stated", "train 2 %", "dev 11 %", "9 %"):
        assert number in text


def test_a_difference_from_a_reference_is_paired_on_the_same_rows():
    behind = errors(train=0.1, dev=(1_000, 0.2), references={"linear": 0.2}).behind["linear"]
    assert behind.value == 0
    assert behind.high - behind.low < 0.02


@pytest.mark.parametrize("target", [-0.1, float("nan"), float("inf")])
def test_a_target_error_that_cannot_be_is_refused(target):
    with pytest.raises(ValueError, match="at least 0"):
        judge(errors(train=0.1, dev=0.1), target)


def test_a_diagnosis_needs_train_and_dev():
    with pytest.raises(ValueError, match="no train"):
        measure({"dev": part(10, 0.1)}, METRICS["error"])
