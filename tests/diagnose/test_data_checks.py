"""The checks of rows and columns: each on measurements that show the disease, and on healthy ones."""

import json
from dataclasses import asdict, replace

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from shoal.data import load
from shoal.diagnose import Case, findings, judge
from shoal.diagnose.checks.data import CHECKS
from shoal.experiments.data_faults import measure_data_faults, sure_error
from shoal.interval import Interval
from shoal.measurements import ColumnClue, DataFaults, Measurements, Repeats, TargetShift, TwoSample

from .cases import errors


def span(value, half):
    return Interval(value, max(value - half, 0.0), value + half)


CLUE = ColumnClue("Light", 0.9, "Light is 130 in train and 16 in dev (medians)")
TOLD = TwoSample("train", "dev", (4000, 4000), span(0.9, 0.02), 1e-30, (CLUE,))
ALIKE = TwoSample("train", "dev", (4000, 4000), span(0.51, 0.02), 0.3)
DRIFT = replace(TOLD, first="the earlier rows", second="the later rows")
NO_REPEATS = Repeats("dev", 1000, 0, Interval(0.0, 0.0, 0.004), Interval(0.001, 0.0, 0.002), 0.0)
REPEATED = Repeats("dev", 1000, 300, span(0.3, 0.03), Interval(0.001, 0.0, 0.002), 0.01)
LEAK = ColumnClue("copy", 0.999, "copy alone leaves 0.10 % of the trivial error in y, all columns not under suspicion leave 40.0 %", 0.6)

APART = DataFaults("separate tables", ALIKE, TargetShift((4000, 4000), 0.4, 0.01, ""), exact=NO_REPEATS, near=NO_REPEATS)
SHUFFLED = DataFaults("shuffled", drift=ALIKE, exact=NO_REPEATS, near=NO_REPEATS, label_noise=span(0.01, 0.01))
SHIFTED = TargetShift((4000, 4000), 1e-30, 0.4, "cnt is 108 in train and 196 in dev (medians)")

DISEASED = {
    "SH301": replace(APART, mismatch=TOLD),
    "SH302": replace(SHUFFLED, drift=DRIFT, ordered=("clock",)),
    "SH303": replace(APART, target_shift=SHIFTED),
    "SH304": replace(SHUFFLED, exact=REPEATED),
    "SH305": replace(SHUFFLED, near=REPEATED),
    "SH306": replace(SHUFFLED, groups=(ColumnClue("patient", 0.6, "patient has 300 values"),)),
    "SH307": replace(SHUFFLED, leaks=(LEAK,)),
    "SH308": replace(SHUFFLED, derived=(ColumnClue("a + b", 1.0, "the target follows from a, b exactly"),)),
    "SH309": replace(SHUFFLED, ids=(ColumnClue("n", 1.0, "n is a whole number that rises with every row of the file"),)),
    "SH310": replace(SHUFFLED, label_noise=span(0.3, 0.05)),
    "SH311": replace(SHUFFLED, sorted_by_target=True, drift=DRIFT),
}


def case(faults, **parts):
    measured = errors(**{"train": 0.1, "dev": 0.1, "references": {"trivial": 0.5}, **parts})
    return Case(measured, judge(measured), measured=Measurements(data=faults))


def seen(faults, **parts):
    return {finding.code: finding for finding in findings(case(faults, **parts)) if finding.code.startswith("SH3")}


def found(faults, **parts):
    return [code for code, finding in seen(faults, **parts).items() if finding.outcome == "found"]


@pytest.mark.parametrize("faults", [APART, SHUFFLED], ids=["separate tables", "one table"])
def test_healthy_rows_have_no_finding_and_leave_nothing_open(faults):
    assert found(faults) == []
    assert [code for code, finding in seen(faults).items() if finding.outcome == "cannot tell"] == []


def test_every_check_has_a_case_of_its_disease():
    assert list(DISEASED) == [check.code for check in CHECKS]


@pytest.mark.parametrize("code", DISEASED)
def test_the_disease_is_found_under_its_code_alone(code):
    assert found(DISEASED[code]) == [code]
    finding = seen(DISEASED[code])[code]
    assert finding.advice
    json.dumps(asdict(finding))


@pytest.mark.parametrize("code", DISEASED)
def test_nothing_is_judged_that_was_not_measured(code):
    finding = seen(None)[code]
    assert finding.outcome == "not applicable"
    assert "examined" in finding.text


# What a mismatch costs


def test_a_mismatch_that_costs_much_is_grave_and_its_gain_is_the_gap():
    finding = seen(DISEASED["SH301"], train_dev=0.1, dev=0.2)["SH301"]
    assert finding.severity == "high"
    assert finding.gain == pytest.approx(0.1, abs=0.002)
    assert "Light is 130 in train and 16 in dev" in finding.text
    assert "10 %" in finding.text


def test_a_mismatch_without_harm_is_said_to_be_so():
    finding = seen(DISEASED["SH301"], train_dev=0.1, dev=0.1)["SH301"]
    assert finding.severity == "low"
    assert "no harm" in finding.text


def test_without_a_train_dev_part_the_text_says_what_would_tell():
    finding = seen(DISEASED["SH301"])["SH301"]
    assert (finding.severity, finding.gain) == ("medium", None)
    assert "train-dev part" in finding.text


def test_a_difference_too_small_to_matter_is_no_finding_however_sure():
    assert "SH301" not in seen(replace(APART, mismatch=replace(TOLD, auc=span(0.53, 0.01), p_value=1e-9)))


def test_a_difference_of_unknown_size_is_left_open_with_the_rows_that_would_tell():
    small = replace(TOLD, auc=span(0.6, 0.06), p_value=0.004, rows=(200, 200))
    finding = seen(replace(APART, mismatch=small))["SH301"]
    assert finding.outcome == "cannot tell"
    assert "About 88 more dev rows" in finding.text  # 200 * ((0.06 / 0.05)^2 - 1)


@pytest.mark.parametrize("split", ["shuffled, stratified by class", "by group: no patient is in two parts"])
@pytest.mark.parametrize("code", ["SH301", "SH303"])
def test_parts_of_one_table_need_no_comparison(split, code):
    finding = seen(replace(SHUFFLED, split=split))[code]
    assert finding.outcome == "not applicable"
    assert split in finding.text


# Others


def test_a_small_shift_of_the_target_is_less_grave_and_a_tiny_one_none():
    assert seen(replace(APART, target_shift=replace(SHIFTED, size=0.1)))["SH303"].severity == "medium"
    assert found(replace(APART, target_shift=replace(SHIFTED, size=0.03))) == []
    assert found(replace(APART, target_shift=replace(SHIFTED, p_value=0.005))) == []


def test_rows_that_repeat_by_nature_are_a_note():
    natural = Repeats("dev", 1000, 300, span(0.3, 0.03), span(0.31, 0.01), 0.01)
    assert seen(replace(SHUFFLED, exact=natural))["SH304"].severity == "note"


def test_rows_that_repeat_by_chance_are_none():
    assert found(replace(SHUFFLED, exact=Repeats("dev", 1000, 300, span(0.3, 0.03), span(0.31, 0.01), 0.4))) == []


def test_a_few_more_repeats_than_expected_are_none():
    assert found(replace(SHUFFLED, exact=Repeats("dev", 1000, 20, span(0.02, 0.01), span(0.01, 0.005), 0.0))) == []
    assert found(replace(SHUFFLED, near=Repeats("dev", 1000, 200, span(0.2, 0.025), span(0.18, 0.025), 0.0))) == []


def test_noise_of_unknown_size_is_left_open_with_the_rows_that_would_tell():
    finding = seen(replace(SHUFFLED, label_noise=span(0.15, 0.1)))["SH310"]
    assert finding.outcome == "cannot tell"
    assert "60,000 more dev rows" in finding.text  # 20,000 * ((0.1 / 0.05)^2 - 1)


def test_a_model_that_is_no_better_than_the_trivial_answer_may_lack_columns():
    assert "tell next to nothing" in seen(DISEASED["SH310"], references={"trivial": 0.1})["SH310"].text


def test_noise_of_labels_is_not_asked_of_numbers():
    measured = replace(case(SHUFFLED), errors=replace_metric(case(SHUFFLED).errors))
    finding = next(finding for finding in findings(measured) if finding.code == "SH310")
    assert finding.outcome == "not applicable"


def replace_metric(measured):
    other = errors(train=0.1, dev=0.1)
    return replace(measured, metric=replace(other.metric, task="regression"))


# From rows to findings


def table(seed=0, noise=0.0, rows=3000):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4))
    y = (x[:, 0] + x[:, 1] * x[:, 2] + 0.5 * rng.normal(size=rows) > 0).astype(int)
    flipped = rng.random(rows) < noise
    return pl.DataFrame({f"x{index}": x[:, index] for index in range(4)} | {"y": np.where(flipped, 1 - y, y)})


def noise_found(noise, seed):
    data = load(table(seed, noise), target="y")
    model = HistGradientBoostingClassifier(max_iter=30, random_state=0).fit(data.inputs["train"], data.truth["train"])
    surest = sure_error(model.predict_proba(data.inputs["dev"]), data.truth["dev"])
    return "SH310" in found(measure_data_faults(data, seed=0, sure_error=surest))


def test_labels_of_which_three_tenths_are_wrong_are_found_and_clean_ones_are_not():
    assert [noise_found(0.3, seed) for seed in range(3)] == [True] * 3
    assert [noise_found(0.0, seed) for seed in range(3)] == [False] * 3


def test_copied_rows_are_found_from_the_tables():
    frame = table()
    dev, train = frame[:900], frame[900:]
    data = load(pl.concat([train, dev[:300]]), target="y", dev=dev)
    assert found(measure_data_faults(data, seed=0)) == ["SH304"]


def test_sound_tables_have_no_finding():
    alarms = []
    for seed in range(3):
        frame = table(seed)
        alarms += found(measure_data_faults(load(frame, target="y", seed=seed), seed=seed))
        alarms += found(measure_data_faults(load(frame[:2000], target="y", dev=frame[2000:], seed=seed), seed=seed))
    assert alarms == []
