"""Every check, on a run built to have the disease and on a healthy one; and the one next step for each."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from shoal.diagnose import CHECKS, Case, findings, next_step

from .cases import case, trial

SOUND = {"train": 0.10, "train_dev": 0.10, "dev": 0.10, "test": 0.10, "target": 0.10, "references": {"trivial": 0.5, "linear": 0.15}}
FALLING = (1.0, 0.8, 0.7, 0.6, 0.5, 0.4)
DIVERGED = trial((None, None), status="diverged", purpose="search")


def healthy(**changes):
    return case(**{**SOUND, "trials": [trial(), trial(purpose="search")], **changes})


DISEASED: dict[str, Callable[[], Case]] = {
    "SH101": lambda: healthy(train=0.2, dev=0.2, train_dev=0.2, test=0.2),
    "SH102": lambda: healthy(train=0.02, target=0.01),
    "SH103": lambda: healthy(dev=0.2, test=0.2),
    "SH104": lambda: healthy(test=0.2),
    "SH105": lambda: healthy(dev=(25, 0.12)),
    "SH106": lambda: case(**{name: value for name, value in SOUND.items() if name != "test"}),
    "SH107": lambda: healthy(references={"trivial": 0.5, "gradient boosting": 0.05}),
    "SH108": lambda: healthy(references={"trivial": 0.1}),
    "SH109": lambda: healthy(class_shares={"no": 0.93, "yes": 0.07}),
    "SH201": lambda: healthy(trials=[DIVERGED, DIVERGED, trial(purpose="search")]),
    "SH202": lambda: healthy(trials=[trial(FALLING, number=i) for i in range(3)]),
}


def found(diseased):
    return [finding.code for finding in findings(diseased) if finding.outcome == "found"]


def test_a_healthy_run_has_no_finding():
    assert found(healthy()) == []


def test_every_check_has_a_code_of_its_own_in_order():
    codes = [check.code for check in CHECKS]
    assert codes == sorted(set(codes))


def test_every_check_is_named_by_a_test():
    """In this file's table, or in that of the file about its kind."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [check.code for check in CHECKS if f'"{check.code}"' not in tests] == []


@pytest.mark.parametrize("code", DISEASED)
def test_the_disease_is_found_under_its_code_and_the_healthy_run_is_not(code):
    assert code in found(DISEASED[code]())
    finding = next(finding for finding in findings(DISEASED[code]()) if finding.code == code)
    check = next(check for check in CHECKS if check.code == code)
    assert finding.title == check.title
    assert finding.advice
    assert finding.evidence["threshold"]
    assert finding.evidence["source"]


@pytest.mark.parametrize("code", DISEASED)
def test_findings_can_be_saved_as_json(code):
    for finding in findings(DISEASED[code]()):
        json.dumps(asdict(finding), allow_nan=False)


def test_the_worst_comes_first_and_what_does_not_apply_last():
    listed = findings(healthy(train=0.02, target=0.01, class_shares={"no": 0.93, "yes": 0.07}, trials=[DIVERGED, trial()]))
    assert next(finding.severity for finding in listed if finding.outcome == "found") == "high"
    outcomes = [finding.outcome for finding in listed]
    assert outcomes == sorted(outcomes, key=("found", "cannot tell", "not applicable").index)


def test_checks_without_their_material_say_that_they_do_not_apply():
    bare = findings(case(train=0.1, dev=0.1, target=0.1, class_shares={"a": 0.5}))
    silent = {finding.code for finding in bare if finding.outcome == "not applicable"}
    assert silent >= {"SH103", "SH104", "SH107", "SH108", "SH202"}
    assert not silent & {"SH101", "SH102", "SH105", "SH106", "SH109"}


def test_an_open_gap_is_reported_as_such_without_advice():
    finding = next(finding for finding in findings(case(train=(5_000, 0.1), dev=(300, 0.13), target=0.1)) if finding.code == "SH102")
    assert finding.outcome == "cannot tell"
    assert "more dev rows" in finding.text
    assert finding.advice == ""


def test_the_majority_matters_only_to_metrics_that_it_flatters():
    assert "SH109" not in found(healthy(class_shares={"no": 0.93, "yes": 0.07}, metric="balanced_accuracy"))
    assert "SH109" not in found(healthy(class_shares={"no": 0.76, "yes": 0.24}))


def test_one_diverged_trial_of_many_is_a_note_and_a_diverged_winner_is_grave():
    searched = [trial(purpose="search", number=i) for i in range(30)]

    def severity(trials):
        return next(finding.severity for finding in findings(healthy(trials=trials)) if finding.code == "SH201")

    assert severity([*searched, DIVERGED]) == "note"
    assert severity([*searched[:5], DIVERGED]) == "medium"
    assert severity([*searched, trial((None, 1.0), status="diverged")]) == "high"


def test_a_fall_at_the_end_that_only_one_of_three_seeds_shows_is_not_believed():
    assert "SH202" not in found(healthy(trials=[trial(FALLING), trial(number=1), trial(number=2)]))


def test_gaps_in_a_curve_are_passed_over():
    assert "SH202" in found(healthy(trials=[trial((None, 0.8, 0.7, 0.6, None, 0.4), number=i) for i in range(2)]))
    assert "SH202" not in found(healthy(trials=[trial((1.0,))]))


STEPS: list[tuple[Callable[[], Case], str]] = [
    (healthy, "Nothing stands out"),
    (lambda: healthy(train=0.2, dev=0.2, train_dev=0.2, test=0.2, references={"trivial": 0.5}), "Try a bigger network"),
    (lambda: healthy(train=0.2, dev=0.2, train_dev=0.2, test=0.2, trials=[trial(FALLING), trial(FALLING)]), "Train longer"),
    (
        lambda: healthy(train=0.2, dev=0.2, train_dev=0.2, test=0.2, at_edge={"hidden_units": "highest"}),
        "highest end of the range searched for hidden",
    ),
    (lambda: healthy(train=0.2, dev=0.2, train_dev=0.2, test=0.2, references={"gradient boosting": 0.1}), "gradient boosting reaches"),
    (
        lambda: healthy(train=0.2, dev=0.3, train_dev=0.3, test=0.3, target=0.0, references={"trivial": 0.5}),
        "Bias first: try a bigger network",
    ),
    (DISEASED["SH102"], "Get more training rows (now 20,000)"),
    (lambda: healthy(train=0.02, target=0.01, at_edge={"weight_decay": "highest"}), "Regularise more"),
    (lambda: healthy(train=0.02, target=0.01, at_edge={"weight_decay": "lowest"}), "Get more training rows"),
    (DISEASED["SH103"], "Make the training rows more like the dev rows"),
    (DISEASED["SH104"], "Take new or more dev rows"),
    (lambda: case(train=0.10, dev=0.10), "State what error is possible"),
    (lambda: case(train=0.10, dev=0.10, references={"linear": 0.09}, budget="2m"), "Search longer (a --budget above 2m): linear reaches"),
    (lambda: case(train=(5_000, 0.1), dev=(300, 0.13), target=0.1), "Give more rows before changing anything"),
]


@pytest.mark.parametrize("given, start", STEPS)
def test_the_next_step_follows_the_recipe_bias_first(given, start):
    assert start in next_step(given())
