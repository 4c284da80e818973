"""The settings that varied as axes, the trials over them, and the ledger as a waterfall."""

import math
from dataclasses import replace

import pytest

from shoal.measurements.answers import Importance, Importances, Interaction
from shoal.recipe import Recipe
from shoal.report.parallel import choices, filters, parallel_figure
from shoal.report.slices import pair_figures, slice_figures
from shoal.report.varied import Axis, axis_of, number_axis, round_numbers, varied_axes
from shoal.report.waterfall import waterfall_figure, waterfall_rows
from shoal.report.wording import by_score

from .example_run import HOSTILE, LONG, around, classification, hostile
from .test_answers import FULL

RUN = replace(classification(40), answers=FULL)
TRIALS = by_score(RUN.trials)


def trials_with(**settings):
    return [
        replace(TRIALS[at], recipe=replace(TRIALS[at].recipe, **{name: value}))
        for name, values in settings.items()
        for at, value in enumerate(values)
    ]


def test_what_is_turned_up_by_factors_is_spaced_by_factors():
    axis = number_axis("learning_rate", [1e-4, 1e-3, 1e-2])
    assert axis.places == (0.0, 0.5, 1.0)
    assert (0.5, "0.001") in axis.ticks


def test_amounts_stay_linear_though_even_draws_from_0_on_span_factors():
    assert number_axis("label_smoothing", [0.001, 0.0505, 0.1]).places == (0.0, 0.5, 1.0)


def test_averages_are_spaced_by_their_distance_to_1():
    axis = number_axis("beta2", [0.9, 0.99, 0.999])
    assert axis.places == pytest.approx((0.0, 0.5, 1.0)) and (0.5, "0.99") in axis.ticks


@pytest.mark.parametrize(("name", "special", "word"), [("clip_norm", None, "off"), ("l2", 0.0, "0")])
def test_what_has_no_place_on_the_scale_lies_below_it(name, special, word):
    axis = number_axis(name, [special, 0.01, 0.1, 1.0])
    assert axis.places[0] == 0 and min(axis.places[1:]) == axis.start > 0.1
    assert axis.ticks[0] == (0.0, word) and axis.words[0] == word


def test_few_numbers_are_categories_in_their_order():
    axis = axis_of("batch_size", trials_with(batch_size=(256, 64, 128)))
    assert axis is not None and axis.places == (1.0, 0.0, 0.5) and [word for _, word in axis.ticks] == ["64", "128", "256"]


def test_only_what_varied_has_an_axis_and_the_most_important_comes_first():
    names = [axis.name for axis in varied_axes(RUN, TRIALS)]
    assert names[:3] == ["learning_rate", "units", "l2"], "the order of the importances"
    assert set(names[3:]) == {"hidden_layers", "activation", "normalisation", "batch_size", "weight_decay", "keep_prob"}


def test_the_architecture_of_a_space_is_what_varied_of_it():
    axis = axis_of("architecture", TRIALS)
    assert axis is not None
    recipe = TRIALS[0].recipe
    assert axis.words[0] == f"{len(recipe.hidden_units)} {recipe.activation} {recipe.normalisation}"


def test_round_numbers_lie_within_and_are_few():
    for low, high in ((0.0, 1.0), (0.613, 0.997), (3.0, 117.0), (-5.0, 5.0)):
        ticks = round_numbers(low, high)
        assert 2 <= len(ticks) <= 6 and low - 1e-9 <= ticks[0] and ticks[-1] <= high + 1e-9


def test_every_trial_is_one_line_through_its_places():
    figure = parallel_figure(RUN)
    assert figure is not None
    axes = varied_axes(RUN, TRIALS)
    block = len(axes) + 2
    drawn = {}
    for trace in figure.data:
        for at, number in enumerate(trace["meta"]["trials"]):
            line = trace["y"][at * block : (at + 1) * block]
            assert line[-1] is None
            drawn[number] = line
    assert sorted(drawn) == sorted(trial.number for trial in TRIALS)
    rates = [math.log(trial.recipe.learning_rate) for trial in TRIALS]
    for trial, rate in zip(TRIALS, rates, strict=True):
        assert drawn[trial.number][0] == pytest.approx((rate - min(rates)) / (max(rates) - min(rates)), abs=1e-3)
    (winner,) = figure.data[2]["meta"]["trials"]
    assert next(trial for trial in TRIALS if trial.number == winner).recipe == RUN.recipe
    assert len(figure.data[1]["meta"]["trials"]) == math.ceil(sum(trial.score is not None for trial in TRIALS) / 4) - 1


def test_the_boxes_of_an_axis_leave_no_trial_out():
    for axis, parts in filters(RUN):
        assert 2 <= len(parts) <= 7
        for place in axis.places:
            assert sum(part.low - 1e-6 <= place <= part.high + 1e-6 for part in parts) >= 1, axis.name


def test_numbers_that_are_off_can_be_chosen():
    axis = number_axis("clip_norm", [None, 0.01, 0.1, 1.0, 2.0, 5.0, 9.0])
    assert [part.words for part in choices(axis)] == ["off", "0.01 to 0.1", "1 to 2", "5 to 9"]


def test_a_search_of_one_trial_has_nothing_to_compare():
    run = classification(1)
    assert parallel_figure(run) is None and slice_figures(run) == [] and filters(run) == []


def test_slices_hold_every_trial_once_and_the_winner_again():
    for figure in slice_figures(RUN):
        assert sum(len(trace["x"]) for trace in figure.data) == len(TRIALS) + 1
        assert f"of {len(TRIALS)} trials" in figure.alternative


def test_pairs_are_marked_by_their_loss_after_the_same_training():
    importances = Importances((Importance("learning_rate", around(0.5, 0.1), 0.5, 1),), 40, RUN.plan.rungs[0], around(0.6, 0.1), None)
    answers = replace(FULL, importance=importances, interactions=(Interaction("learning_rate", "units", around(0.1, 0.05)),))
    (figure,) = pair_figures(replace(RUN, answers=answers))
    first = RUN.plan.rungs[0]
    losses = {
        trial.number: min(
            loss for step, loss in zip(trial.trace.steps, trial.trace.dev_loss, strict=True) if loss is not None and step <= first
        )
        for trial in TRIALS
    }
    best = figure.data[-1]
    numbers = [int(text.split("<br>")[0].removeprefix("trial ")) for text in best["text"]]
    assert sorted(numbers) == sorted(sorted(losses, key=lambda number: losses[number])[: math.ceil(len(losses) / 4)])


def test_pairs_of_what_a_recipe_does_not_name_are_left_out():
    answers = replace(FULL, interactions=(Interaction(HOSTILE, "units", around(0.1, 0.05)),))
    assert pair_figures(replace(RUN, answers=answers)) == []


def test_what_was_kept_moves_the_level_and_controls_stand_beside():
    assert RUN.ledger is not None
    first, second = waterfall_rows(RUN.ledger)
    assert first.level == pytest.approx(0.24) and second.level == pytest.approx(0.24 - 0.108)
    assert first.control is not None and first.control.change == "beta1 0.9 to 0.8"
    figure = waterfall_figure(RUN)
    assert figure is not None
    controls, changes, begin, result = figure.data[2:]
    assert begin["x"] == [24.0] and result["x"] == [13.0]
    assert changes["x"] == pytest.approx([24 - 10.8, 13.2 + 0.3]) and controls["x"] == pytest.approx([24.1, 13.1])
    assert changes["error_x"]["array"] == pytest.approx([1.0, 0.8])
    assert "1 kept: initialisation zeros to he" in figure.alternative


def test_a_ledger_without_changes_is_no_picture():
    assert RUN.ledger is not None
    assert waterfall_figure(replace(RUN, ledger=replace(RUN.ledger, entries=()))) is None
    assert waterfall_figure(replace(RUN, ledger=None)) is None


@pytest.mark.parametrize("text", [HOSTILE, LONG], ids=["markup", "long"])
def test_changes_with_any_name_are_text_of_at_most_two_lines(text):
    figure = waterfall_figure(hostile(text))
    assert figure is not None
    for label in figure.layout["yaxis"]["ticktext"]:
        bare = label.replace("<br>", "", 1).removeprefix("<b>").removesuffix("</b>")
        assert "<" not in bare and "%{" not in bare and "\u202e" not in bare


def test_an_axis_of_other_texts_has_their_words():
    axis = Axis("activation", (0.0, 1.0), ("relu", "silu"), ((0.0, "relu"), (1.0, "silu")), step=1.0)
    assert axis.title == "activation" and [part.words for part in choices(axis)] == ["relu", "silu"]
    assert axis_of("no_such_setting", TRIALS) is None and axis_of("pooling", TRIALS) is None
    assert Recipe().pooling


def test_architectures_of_two_optimisers_are_two_categories_of_their_axis():
    first, second = RUN.trials[:2]
    trials = [replace(first, recipe=replace(first.recipe, optimiser=name)) for name in ("adamw", "muon")]
    axis = axis_of("architecture", trials)
    assert axis is not None and len(set(axis.words)) == 2
    assert axis_of("architecture", [first, replace(second, recipe=first.recipe)]) is None
