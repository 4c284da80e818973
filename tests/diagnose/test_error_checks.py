"""Calibration, gains and open questions of the checks on errors: on cases made to have the disease, and on sound ones."""

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from shoal.diagnose import Case, PartPrediction, findings, judge, measure
from shoal.experiments.reliability import MOST_BINS, measure_calibration
from shoal.metrics import METRICS, paired_bootstrap

from .cases import answers, case, errors, part


def finding(given: Case, code: str):
    return next((each for each in findings(given) if each.code == code), None)


def outcome(given: Case, code: str) -> str:
    """What a check says; ``healthy`` where it says nothing."""
    each = finding(given, code)
    return "healthy" if each is None else each.outcome


def drawn(rows: int, seed: int, temperature: float = 1.0, classes: int = 2):
    """Outcomes drawn from known probabilities, and what a model says that is ``1/temperature`` times too sure of them."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(rows, classes))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    said = np.exp(logits / temperature) / np.exp(logits / temperature).sum(axis=1, keepdims=True)
    return (rng.random((rows, 1)) > true.cumsum(axis=1)).sum(axis=1), said


def classifier(truth, said) -> Case:
    prediction = PartPrediction(truth, said[None])
    measured = measure({"train": prediction, "dev": prediction, "test": prediction}, METRICS["error"])
    return Case(measured, judge(measured, 0.1), class_shares={"a": 0.5, "b": 0.5})


def test_the_calibration_error_is_that_of_scikit_learns_curve():
    truth, said = drawn(3_000, 0, temperature=0.4)
    found = measure_calibration(said, truth)
    rate, mean = calibration_curve(truth, said[:, 1], n_bins=MOST_BINS, strategy="quantile")
    assert found is not None
    assert found.error.value == pytest.approx(np.abs(rate - mean).mean(), abs=1e-3)


def test_rows_count_by_their_weight():
    truth, said = drawn(2_000, 1, temperature=0.4)
    twice, once = measure_calibration(np.tile(said, (2, 1)), np.tile(truth, 2)), measure_calibration(said, truth, np.full(2_000, 3.0))
    assert twice is not None and once is not None
    assert twice.error.value == pytest.approx(once.error.value, abs=0.01)
    half = np.where(np.arange(2_000) < 1_000, 1.0, 1e-9)
    wrong = np.where(np.arange(2_000) < 1_000, truth, 1 - truth)
    left = measure_calibration(said, wrong, half)
    assert left is not None and left.error.value < 0.3 < measure_calibration(said, wrong).error.value + 0.25  # type: ignore[union-attr]


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("temperature", [0.4, 3.0])
def test_probabilities_that_are_too_sure_or_not_sure_enough_are_found(temperature: float, classes: int):
    found = finding(classifier(*drawn(2_000, 2, temperature, classes)), "SH110")
    assert found is not None and found.outcome == "found"
    assert ("% surer than it is right" in found.text) == (temperature < 1)
    assert ("less sure than it is right" in found.text) == (temperature > 1)
    assert found.evidence["calibration_error"][1] > 0.05


@pytest.mark.parametrize(("rows", "draws"), [(50, 2), (100, 40), (300, 30), (2_000, 6)])
def test_perfect_probabilities_are_never_found_to_be_wrong(rows: int, draws: int):
    """Few rows make perfect probabilities look off by more than the limit."""
    assert "found" not in {outcome(classifier(*drawn(rows, seed, classes=classes)), "SH110") for seed in range(draws) for classes in (2, 4)}


def test_the_chance_level_is_what_perfect_probabilities_show():
    """In about 95 of 100 draws the error lies within it; Vaicenavicius et al. 2019, section 4."""
    inside = 0
    for seed in range(200):
        found = measure_calibration(*reversed(drawn(400, 1_000 + seed)), resamples=400)
        assert found is not None
        inside += found.chance.low <= found.error.value <= found.chance.high
    assert 0.90 <= inside / 200 <= 0.985


def test_an_open_question_of_calibration_says_how_many_rows_would_settle_it():
    for seed in range(20):
        given = finding(classifier(*drawn(300, seed, temperature=0.7)), "SH110")
        if given is not None and given.outcome == "cannot tell":
            assert re.search(r"About [\d,]+ more dev rows would settle it|no reasonable number", given.text)
            return
    pytest.fail("no draw of 300 rows was open")


def test_calibration_is_asked_of_probabilities_only():
    truth, said = drawn(2_000, 2, temperature=0.4)
    bare = PartPrediction(truth, said[None], has_probabilities=False)
    measured = measure({"train": bare, "dev": bare}, METRICS["error"])
    assert measured.calibration is None
    assert outcome(Case(measured, judge(measured)), "SH110") == "not applicable"
    values = PartPrediction(np.linspace(0, 1, 100), np.linspace(0, 1, 100)[None])
    number = measure({"train": values, "dev": values}, METRICS["mae"])
    assert outcome(Case(number, judge(number)), "SH110") == "not applicable"


def test_one_positive_row_in_a_hundred_is_hidden_by_accuracy():
    for metric in ("error", "accuracy"):
        assert outcome(case(train=0.01, dev=0.01, metric=metric, class_shares={"no": 0.99, "yes": 0.01}), "SH109") == "found"
    assert outcome(case(train=0.01, dev=0.01, metric="auc", class_shares={"no": 0.99, "yes": 0.01}), "SH109") == "healthy"


def test_what_a_finding_could_gain_is_the_size_of_its_gap():
    sick = case(train=0.2, dev=0.3, target=0.05, references={"trivial": 0.5, "gradient boosting": 0.1})
    gains = {each.code: each.gain for each in findings(sick)}
    assert gains["SH101"] == pytest.approx(0.15)
    assert gains["SH102"] == pytest.approx(0.1)
    assert gains["SH107"] == pytest.approx(0.2)


def test_a_gap_below_zero_has_nothing_to_gain():
    open_gap = finding(case(train=(500, 0.12), dev=(500, 0.11), target=0.1), "SH102")
    assert open_gap is not None and (open_gap.outcome, open_gap.gain) == ("cannot tell", 0.0)


def test_a_lead_over_the_trivial_answer_that_few_rows_leave_open_is_not_called_a_failure():
    """15 % against 25 % of 60 rows is a lead that 60 rows do not prove; 25 % against 25 % is none."""
    leading = finding(case(train=0.1, dev=(60, 0.15), references={"trivial": 0.25}), "SH108")
    assert leading is not None and leading.outcome == "cannot tell"
    wanted = int(re.findall(r"About ([\d,]+) dev rows", leading.text)[0].replace(",", ""))
    assert outcome(case(train=0.1, dev=(2 * wanted, 0.15), references={"trivial": 0.25}), "SH108") == "healthy"
    assert outcome(case(train=0.1, dev=(60, 0.25), references={"trivial": 0.25}), "SH108") == "found"
    assert outcome(case(train=0.1, dev=(20_000, 0.249), references={"trivial": 0.25}), "SH108") == "found"
    assert outcome(case(train=0.1, dev=(60, 0.40), references={"trivial": 0.25}), "SH108") == "found"


def test_a_dev_score_that_nothing_was_chosen_by_is_not_called_optimistic():
    chosen = case(train=0.1, dev=0.1)
    assert outcome(chosen, "SH106") == "found"
    assert outcome(replace(chosen, dev_chooses=False), "SH106") == "not applicable"


def test_every_open_question_says_what_would_settle_it():
    settles = re.compile(r"more .*(rows|seeds)|rows would settle|no reasonable number|--target-error")
    for sizes in (
        {"train": (400, 0.1), "dev": (80, 0.13)},
        {"train": (400, 0.1), "train_dev": (90, 0.12), "dev": (80, 0.14), "test": (70, 0.15)},
    ):
        for target in (None, 0.08):
            given = case(target, references={"trivial": 0.2}, **sizes)  # type: ignore[arg-type]
            listed = [each for each in findings(given) if each.outcome == "cannot tell" and each.code.startswith("SH1")]
            assert listed
            assert [each.text for each in listed if not settles.search(each.text)] == []


def test_members_used_one_by_one_are_judged_by_their_mean_error():
    """Three members wrong on other rows each: their vote is never wrong, and each alone is wrong in a tenth of the rows."""
    truth, _ = answers(3_000, 0)
    members = np.stack([np.eye(2)[np.where(np.arange(3_000) % 10 == place, 1 - truth, truth)] for place in range(3)])
    parts = {name: PartPrediction(truth, members, one_by_one=single) for name, single in (("train", False), ("dev", True))}
    measured = measure(parts, METRICS["error"])  # type: ignore[arg-type]
    assert measured.parts["train"].error.value == 0.0
    assert measured.parts["dev"].error.value == pytest.approx(0.1)
    half = 1.96 * np.sqrt(0.3 * 0.7 / 9 / 3_000)  # a row costs a third in three of ten rows
    assert measured.parts["dev"].error.high - measured.parts["dev"].error.low == pytest.approx(2 * half, rel=0.15)


def test_one_by_one_is_no_different_for_one_member():
    alike = {name: replace(part(500, 0.1, members=1), one_by_one=True) for name in ("train", "dev")}
    expected = errors(train=(500, 0.1), dev=(500, 0.1))
    assert measure(alike, METRICS["error"]).parts["dev"].error == expected.parts["dev"].error  # type: ignore[arg-type]


def test_many_refits_add_no_more_half_examples_than_one():
    """At no error in 50 rows the upper limit is that of Jeffreys' interval, however many refits were made."""
    truth, right = answers(50, 0)
    limits = [
        np.quantile(paired_bootstrap(METRICS["error"], truth, [right] * models, groups=[0] * models, resamples=4_000), 0.975)
        for models in (1, 6)
    ]
    assert limits[1] == pytest.approx(limits[0], rel=0.1)


def test_the_train_error_scatters_as_it_does_over_training_sets():
    """Least squares with 20 of 100 parameters, 400 times: fitted rows alone would seem to scatter a tenth less than their mean does."""
    rng = np.random.default_rng(0)
    errors_seen, spreads = [], []
    for seed in range(400):
        x, noise = rng.normal(size=(2, 100, 20)), rng.normal(size=(2, 100))
        slope = np.linalg.lstsq(x[0], noise[0], rcond=None)[0]
        parts = {name: PartPrediction(noise[i], (x[i] @ slope)[None]) for i, name in enumerate(("train", "dev"))}
        train = measure(parts, METRICS["mse"], resamples=200, seed=seed).parts["train"]  # type: ignore[arg-type]
        errors_seen.append(train.error.value)
        spreads.append(train.draws.std())
    true_spread = np.sqrt(2 * (100 - 20)) / 100  # of a chi-square variable of 80 degrees of freedom, over 100
    assert np.std(errors_seen) == pytest.approx(true_spread, rel=0.1)
    assert 0.97 < np.mean(spreads) / true_spread < 1.25


def test_an_error_that_chance_might_show_is_not_found():
    sick = classifier(*drawn(2_000, 2, temperature=0.4))
    seen = sick.errors.calibration
    assert seen is not None and seen.p_value <= 0.001
    likely = replace(sick, errors=replace(sick.errors, calibration=replace(seen, p_value=0.02)))
    assert (outcome(sick, "SH110"), outcome(likely, "SH110")) == ("found", "cannot tell")
