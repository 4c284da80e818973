"""The errata: every demonstration shows the printed form fail and shoal's own pass, and the page says what was measured."""

import functools
import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


def loaded():
    """docs/errata.py, which is a program and in no package."""
    spec = importlib.util.spec_from_file_location("errata", ROOT / "docs" / "errata.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["errata"] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


errata = loaded()
each_erratum = pytest.mark.parametrize("erratum", errata.ERRATA, ids=lambda erratum: f"{erratum.section} {erratum.title}")


@functools.cache
def measured(demonstrate):
    """The figures as ``{what: (printed, correct)}``; each demonstration runs once."""
    return {what: (printed, correct) for what, printed, correct in demonstrate()}


def forms(demonstrate):
    """The printed figures in order, and the correct ones."""
    printed, correct = zip(*measured(demonstrate).values(), strict=True)
    return list(printed), list(correct)


def test_a_high_dev_error_is_high_variance_only_with_a_gap_to_train():
    """The textbook's verdicts on 15/16, 15/30 and 1/11 per cent."""
    by_dev, by_gaps = forms(errata.high_dev_error)
    assert by_dev == ["high variance"] * 3
    assert by_gaps == ["high bias", "high bias and high variance", "high variance"]


def test_l2_is_weight_decay_for_gradient_descent_and_not_for_adam():
    """Against the closed form ``(1 - alpha lambda/m)^t``."""
    coupled, decoupled = forms(errata.l2_and_decay)
    assert decoupled == pytest.approx([(1 - 0.01 * 0.1) ** 200] * 3, abs=1e-6)
    assert coupled[0] == pytest.approx(decoupled[0], abs=1e-6)
    assert coupled[1] < 0.1 * decoupled[1] and coupled[2] > 1.15 * decoupled[2]


def test_dropout_keeps_the_expectation_only_if_divided_by_keep_prob():
    printed, correct = forms(errata.undivided_dropout)
    assert correct == pytest.approx([1.0] * 4, abs=0.01)
    assert printed == pytest.approx([0.8, 0.8 / 0.2, 0.3, 0.3 / 0.7], rel=0.01)


def test_dividing_by_the_variance_turns_the_scales_round_and_dividing_by_the_standard_deviation_removes_them():
    printed, correct = forms(errata.divided_by_variance)
    assert correct[:2] == pytest.approx([1, 1]) and correct[2] < 10
    assert printed[:2] == pytest.approx([1 / 0.2, 1 / 5], rel=0.05) and printed[2] > 1000


def test_exploding_gradients_diverge_where_the_same_network_with_he_initialisation_learns():
    figures = measured(errata.exploding_gradients)
    assert figures["training"] == ("diverged", "went on")
    exploding, he = figures["loss after 100 steps"]
    assert not np.isfinite(exploding) and he < 0.2 * figures["loss at the start"][1]
    norms = figures["norm of the first gradient"]
    assert norms[0] > 1000 * norms[1]


def test_a_gradient_check_judges_the_relative_error_whatever_the_step():
    by_step, by_error = forms(errata.step_for_error)
    assert [text.split(",")[0] for text in by_step] == ["correct", "wrong"]
    assert by_error == ["wrong, relative error 0.33", "correct, relative error below 1e-7"]  # |w - 2w| / (|w| + |2w|) = 1/3


def test_new_weights_do_not_cure_a_wrong_gradient_and_a_corrected_backward_pass_does():
    figures = measured(errata.new_weights_for_a_wrong_gradient)
    assert figures["checks passed, of 5"] == (0, 5)
    assert float(figures["smallest relative error"][0]) > 0.1
    assert figures["largest relative error"][1] == "below 1e-7"


def test_the_cost_of_a_mini_batch_is_the_mean_over_its_own_rows():
    figures = measured(errata.batches_for_batch_size)
    assert figures["steps in an epoch"] == (1000, 5000)
    printed, correct = figures["cost of a mini-batch"]
    assert correct == pytest.approx(math.log(2), rel=1e-6)  # of every row, and so of any number of rows
    assert printed == pytest.approx(correct / 5, rel=1e-6)


def test_a_corrected_average_fed_back_leaves_the_constant_that_it_should_be():
    printed, correct = forms(errata.fed_back)
    assert correct == pytest.approx([10.0] * 4)
    assert printed[0] == pytest.approx(10) and printed[1] == pytest.approx(10 / 0.19) and printed[3] > 1000 * 10


def test_rmsprop_without_its_square_root_and_epsilon_does_not_come_to_rest():
    printed, correct = forms(errata.rootless_rmsprop)
    assert printed[0] > 1000 * correct[0] and correct[0] < 0.001
    assert printed[1] == pytest.approx(0.01 / (0.1 * 0.001)) and correct[1] == pytest.approx(0.01 / np.sqrt(0.1), rel=1e-3)
    assert np.isnan(printed[2]) and correct[2] == 1


def test_adam_without_its_square_root_takes_steps_of_the_wrong_length():
    printed, correct = forms(errata.rootless_adam)
    assert printed[0] > 0.01 and correct[0] < 1e-6
    assert correct[1:] == pytest.approx([0.01, 0.01], rel=1e-4)
    assert printed[1:] == pytest.approx([0.01 / 0.001, 0.01 / 100], rel=1e-4)


def test_epsilon_protects_a_weight_without_gradient_only_in_the_denominator():
    printed, correct = forms(errata.epsilon_added_to_the_quotient)
    assert np.isnan(printed[0]) and correct[0] == 0
    assert printed[1] == pytest.approx(100 * 0.01, rel=1e-3) and correct[1] == pytest.approx(100 * 0.01 * 1e-12 / 1e-8, rel=1e-3)


def test_every_optimiser_reaches_the_bottom_of_the_bowl_and_some_networks_end_in_another_valley():
    bowl, network, highest = measured(errata.global_minimum).values()
    assert bowl == (11, 11)
    assert network[0] == 20 and 5 <= network[1] <= 15
    assert highest[1] == pytest.approx(math.log(2) / 2, rel=0.01)  # two of the four rows cannot be told apart


def test_without_gammas_update_a_unit_behind_batch_norm_cannot_become_steeper():
    (held, learned), *_ = measured(errata.fixed_gamma).values()
    assert held > 0.02 and learned < 0.001


def test_the_best_that_a_unit_with_gamma_held_at_1_could_do_is_what_training_reached():
    """Least squares over a grid of beta: the fault is gamma's, not the optimiser's."""
    x = np.linspace(-1, 1, 64)
    best = np.inf
    for beta in np.linspace(-2, 2, 81):
        a = np.stack([np.tanh(x / x.std() + beta), np.ones(64)], 1)
        best = min(best, ((a @ np.linalg.lstsq(a, np.tanh(4 * x), rcond=None)[0] - np.tanh(4 * x)) ** 2).mean())
    (held, _), *_ = measured(errata.fixed_gamma).values()
    assert held == pytest.approx(best, rel=0.01)


@each_erratum
def test_every_erratum_names_a_test_of_its_own(erratum):
    assert callable(globals()[erratum.test])
    assert sum(other.test == erratum.test for other in errata.ERRATA) == 1


def test_the_errata_stand_in_the_order_of_the_method_and_cover_every_section_that_has_one():
    sections = [erratum.section for erratum in errata.ERRATA]
    assert sections == sorted(sections)
    assert set(sections) == {"1.3", "2.1", "2.4", "3.1", "3.3", "3.4", "4.1", "4.2", "4.4", "4.5", "4.7", "6.1"}


def test_the_page_is_what_its_source_measures():
    page = errata.page(lambda erratum: [(what, *pair) for what, pair in measured(erratum.demonstrate).items()])
    assert (ROOT / "docs" / "errata.md").read_text() == page, "run: python docs/errata.py"
