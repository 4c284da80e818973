"""Diseases of the signals through the layers: on records written by hand, and on networks that are trained with the disease."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from shoal import data
from shoal.diagnose.case import Case, Outcome
from shoal.diagnose.checks.signals import CHECKS, per_layer
from shoal.measurements import Measurements, Signals
from shoal.recipe import Recipe
from shoal.trainer import Network, Trainer

from .cases import case

MOMENTS = 5
LOOK = {check.code: check.look for check in CHECKS}
NOTHING_MEASURED = case(train=(100, 0.1), dev=(100, 0.1))


def record(layers=4, changes: dict[str, Any] | None = None) -> Signals:
    """A sound network at five moments; ``changes`` names series, as a value for all moments and layers, or one row per moment."""
    sound = {
        "activation": 1.0,
        "backward": 1.0,
        "gradient": 1.0,
        "weight": 8.0,
        "update": 1e-3,
        "dead": 0.1,
        "saturated": 0.1,
        "alike": 0.0,
    }

    def series(value):
        rows = value if isinstance(value, list) else [value] * MOMENTS
        return tuple(tuple(row) if isinstance(row, list | tuple) else (row,) * (layers + 1) for row in rows)

    values = sound | (changes or {})
    loss = values.pop("loss", (0.7, 0.5, 0.4, 0.3, 0.3))
    return Signals(tuple(range(0, 10 * MOMENTS, 10)), tuple(loss), **{name: series(value) for name, value in values.items()})


def geometric(factor, layers=4):
    """Each hidden layer's signal ``factor`` times that of the one before it, and the output layer's."""
    return [factor**layer for layer in range(layers)] + [1.0]


def judged(records, **recipe) -> Case:
    settings = {"hidden_units": (64,) * (len(records[0].backward[0]) - 1), "activation": "relu"} | recipe
    return replace(NOTHING_MEASURED, recipe=Recipe(**settings), measured=Measurements(signals=tuple(records)))


def seen(code, records, **recipe) -> Outcome | None:
    return LOOK[code](judged(records, **recipe))


def found(records, **recipe) -> list[str]:
    outcomes = {code: look(judged(records, **recipe)) for code, look in LOOK.items()}
    return [code for code, outcome in outcomes.items() if outcome is not None and outcome.outcome == "found"]


def several(changes, layers=4, spread=0.02):
    """Three networks with the same disease, whose seeds differ a little."""

    def scaled(value, by):
        if isinstance(value, list | tuple):
            return [scaled(each, by) for each in value]
        return None if value is None else value * by

    return [record(layers, {name: scaled(value, 1 + spread * k) for name, value in changes.items()}) for k in (-1, 0, 1)]


DISEASED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "SH401": ({"backward": [geometric(4.0)] * MOMENTS}, {}),
    "SH402": ({"backward": [geometric(1 / 3)] * MOMENTS}, {}),
    "SH403": ({"dead": [0.1, 0.5, 0.7, 0.8, 0.8]}, {}),
    "SH404": ({"saturated": 0.7}, {"activation": "tanh"}),
    "SH405": ({"alike": 0.97}, {}),
    "SH406": ({"activation": [[1.0, 2.0, 3.0, 4.0, 40.0]] * MOMENTS}, {}),
}


@pytest.mark.parametrize("code", LOOK)
def test_a_disease_is_found_with_its_interval_and_alone(code):
    changes, recipe = DISEASED[code]
    assert found(several(changes), **recipe) == [code]
    outcome = seen(code, several(changes), **recipe)
    assert outcome is not None
    json.dumps(outcome.evidence, allow_nan=False)
    intervals = [value for value in outcome.evidence.values() if isinstance(value, list)]
    assert intervals and all(low <= value <= high for value, low, high in intervals)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "silu"])
def test_a_sound_network_has_none(activation):
    assert found([record(), record(), record()], activation=activation) == []


@pytest.mark.parametrize("code", LOOK)
def test_one_network_alone_is_no_proof(code):
    changes, recipe = DISEASED[code]
    outcome = seen(code, several(changes)[1:2], **recipe)
    assert outcome is not None and outcome.outcome == "cannot tell" and "1 more random seed" in outcome.text


@pytest.mark.parametrize("code", LOOK)
def test_without_a_record_a_check_does_not_apply(code):
    outcome = LOOK[code](NOTHING_MEASURED)
    assert outcome is not None and outcome.outcome == "not applicable"


def test_the_factor_per_layer_and_its_interval_are_those_of_the_logarithms():
    """Student's t, from SciPy."""
    factors = [3.6, 4.0, 4.4]
    outcome = seen("SH401", [record(changes={"backward": [geometric(factor)] * MOMENTS}) for factor in factors])
    assert outcome is not None
    logs = -np.log(factors)
    expected = np.exp([logs.mean(), *stats.t.interval(0.95, 2, loc=logs.mean(), scale=stats.sem(logs))])
    np.testing.assert_allclose(outcome.evidence["factor"], expected, rtol=1e-9)


@pytest.mark.parametrize(("layers", "factor", "is_found"), [(3, 0.25, False), (3, 0.15, True), (8, 0.55, False), (8, 0.45, True)])
def test_gradients_vanish_by_a_factor_per_layer_and_over_all_layers(layers, factor, is_found):
    """A thirtieth over all of three layers is a factor of 0.18 each; in eight layers a factor of one half is the limit."""
    changes = {"backward": [geometric(1 / factor, layers)] * MOMENTS}
    assert ("SH401" in found([record(layers, changes)] * 2)) == is_found


@pytest.mark.parametrize(("layers", "factor", "is_found"), [(3, 3.0, False), (3, 3.5, True), (8, 1.45, False), (8, 1.6, True)])
@pytest.mark.parametrize("signal", ["backward", "activation"])
def test_signals_explode_by_a_factor_per_layer_and_over_all_layers(signal, layers, factor, is_found):
    rising = geometric(factor if signal == "activation" else 1 / factor, layers)
    assert ("SH402" in found([record(layers, {signal: [rising] * MOMENTS})] * 2)) == is_found


@pytest.mark.parametrize(("later", "severity"), [(1.0, "low"), (4.0, "high")])
def test_vanishing_gradients_are_grave_where_they_stay_so(later, severity):
    changes = {"backward": [geometric(4.0), *[geometric(later)] * (MOMENTS - 1)]}
    outcome = seen("SH401", several(changes))
    assert outcome is not None and outcome.outcome == "found" and outcome.severity == severity
    assert ("outgrown" in outcome.text) == (severity == "low")


def test_gradients_that_do_not_arrive_at_all_have_vanished():
    assert "SH401" in found([record(changes={"backward": [[0.0, 0.0, 1e-3, 1.0, 1.0]] * MOMENTS})] * 2)
    assert per_layer(((0.0, 0.0, 0.0, 1.0),), 0) == 1.0


def test_signals_that_overflow_before_the_first_step_have_exploded():
    overflow = {"activation": [[1e10, 1e20, 1e30, None, None]] * MOMENTS, "loss": [None] * MOMENTS}
    assert found([record(changes=overflow)] * 2) == ["SH402", "SH406"]


def test_what_becomes_of_a_network_that_diverged_is_left_to_other_checks():
    lost: dict[str, Any] = {name: [geometric(1.0)] + [[None] * 5] * (MOMENTS - 1) for name in ("activation", "backward", "dead", "alike")}
    assert found([record(changes=lost)] * 2) == []
    vanished = {"backward": [geometric(4.0)] + [[None] * 5] * (MOMENTS - 1)}
    outcome = seen("SH401", several(vanished))
    assert outcome is not None and outcome.severity == "medium" and "not finite" in outcome.text


@pytest.mark.parametrize("code", ["SH401", "SH402"])
def test_a_factor_per_layer_needs_three_hidden_layers(code):
    outcome = seen(code, [record(2, {"backward": [[1.0, 1e6, 1.0]] * MOMENTS})] * 2)
    assert outcome is not None and outcome.outcome == "not applicable"


@pytest.mark.parametrize(("dead", "severity"), [(0.3, None), (0.7, "medium"), (0.97, "high")])
def test_dead_units_are_counted_late_in_the_training(dead, severity):
    outcome = seen("SH403", [record(changes={"dead": [0.1, 0.1, dead, dead, dead]})] * 3)
    assert (outcome and outcome.severity) == severity


def test_units_that_never_parted_are_not_called_dead_as_well():
    assert found([record(changes={"alike": 1.0, "dead": 1.0})] * 3) == ["SH405"]


def test_units_that_a_penalty_emptied_have_not_failed_to_part():
    assert found([record(changes={"alike": [0.0, 0.5, 1.0, 1.0, 1.0]})] * 3) == []


@pytest.mark.parametrize(
    ("shares", "loss", "is_found"),
    [
        ((0.8, 0.1, 0.1, 0.1, 0.1), (3.0, 0.5, 0.4, 0.2, 0.1), True),  # from the start
        ((0.1, 0.8, 0.8, 0.8, 0.8), (0.7, 0.5, 0.4, 0.3, 0.3), True),  # at once, by steps too large
        ((0.1, 0.2, 0.4, 0.8, 0.8), (0.7, 0.5, 0.4, 0.3, 0.3), False),  # slowly, as the network grows sure
        ((0.1, 0.8, 0.4, 0.2, 0.2), (0.7, 0.5, 0.4, 0.3, 0.3), False),  # for a while
        ((0.1, 0.8, 0.8, 0.8, 0.8), (0.7, 0.2, 0.1, 0.05, 0.01), False),  # and nothing is left to learn
    ],
)
def test_saturation_counts_from_the_start_or_where_it_comes_at_once_and_the_cost_stays(shares, loss, is_found):
    records = [record(changes={"saturated": list(shares), "loss": loss})] * 3
    assert found(records, activation="tanh") == ["SH404"] * is_found
    assert found(records, activation="relu") == []


def test_dead_units_of_a_network_that_has_fitted_its_rows_do_no_harm():
    assert found([record(changes={"dead": 0.7, "loss": (0.7, 0.2, 0.1, 0.05, 0.01)})] * 3) == []


def test_the_output_layer_does_not_count_among_the_hidden_ones():
    last = [[0.0, 0.0, 0.0, 0.0, 1.0]] * MOMENTS
    assert found([record(changes={"alike": last, "dead": last, "saturated": last})] * 3, activation="tanh") == []
    assert found([record(changes={"backward": [[1.0, 1.0, 1.0, 1.0, 1e9]] * MOMENTS})] * 3) == []


def test_seeds_that_disagree_are_an_open_question_with_what_would_settle_it():
    outcome = seen("SH403", [record(changes={"dead": share}) for share in (0.35, 0.6, 0.75)])
    assert outcome is not None and outcome.outcome == "cannot tell" and "more random seeds would settle it" in outcome.text
    outcome = seen("SH401", [record(changes={"backward": [geometric(factor)] * MOMENTS}) for factor in (2.5, 4.0, 5.0)])
    assert outcome is not None and outcome.outcome == "cannot tell" and "more random seed" in outcome.text


def test_small_first_outputs_are_never_in_doubt_however_they_scatter():
    records = [record(changes={"activation": [[1.0, 1.0, 1.0, 1.0, size]] * MOMENTS}) for size in (0.01, 0.3, 0.9)]
    assert seen("SH406", records) is None


@pytest.mark.parametrize("code", ["SH402", "SH406"])
def test_signals_that_strong_dropout_enlarged_say_nothing_about_the_weights(code):
    changes, _ = DISEASED[code]
    outcome = seen(code, several(changes), keep_prob=0.1)
    assert outcome is not None and outcome.outcome == "not applicable"


# -- networks with the disease -----------------------------------------------------------------------------------------------------------
# of two shapes: each compiles programs of its own
DEEP = Recipe((16,) * 4, activation="relu", epochs=15.0, batch_size=32, learning_rate=3e-3)
SMOOTH = replace(DEEP, hidden_units=(16, 16), activation="tanh", initialisation="xavier")
TRAINED: dict[str, tuple[Recipe, set[str]]] = {
    "sound": (DEEP, set()),
    "zeros": (replace(DEEP, initialisation="zeros"), {"SH405"}),
    "far too large": (replace(DEEP, initialisation_gain=20.0), {"SH406"}),
    "a learning rate that kills": (replace(DEEP, learning_rate=1.0), {"SH403"}),
    "far too small": (replace(DEEP, initialisation="small_random"), {"SH401"}),
    "a chain that explodes": (replace(DEEP, initialisation_gain=3.0), {"SH402"}),
    "sound and smooth": (SMOOTH, set()),
    "saturated from the start": (replace(SMOOTH, initialisation_gain=10.0), {"SH404"}),
}


@pytest.fixture(scope="module")
def trained() -> dict[str, list[Signals | None]]:
    trainer = Trainer(data.load("example:breast-cancer"), 0)
    networks = {name: [Network(i, i, recipe) for i in range(3)] for name, (recipe, _) in TRAINED.items()}
    trainer.train("signals", [network for group in networks.values() for network in group], probed=True)
    return {name: [network.signals for network in group] for name, group in networks.items()}


@pytest.mark.parametrize("name", TRAINED)
def test_networks_trained_with_a_disease_show_it_and_sound_ones_show_none(name, trained):
    recipe, codes = TRAINED[name]
    shown = set(found(trained[name], activation=recipe.activation))
    assert codes <= shown if codes else not shown
