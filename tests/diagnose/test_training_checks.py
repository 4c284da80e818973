"""How the training went: each check on traces and recipes built to have the disease, on healthy ones, and on real tables."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

import shoal
from shoal.diagnose import findings
from shoal.diagnose.checks.training import final_networks, strong_regularisers, trivial_loss
from shoal.measurements import Measurements, RateRange
from shoal.recipe import Recipe
from shoal.records import Trace, Trial

from .cases import case

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data"
SOUND = {"train": 0.10, "dev": 0.10, "test": 0.10, "target": 0.10, "references": {"trivial": 0.5, "linear": 0.15}}
CALM = (0.6, 0.5, 0.45, 0.42, 0.40, 0.399, 0.398, 0.397)
RATES = RateRange((1e-6, 1e-3, 1e-2, 10.0), (0.7, 0.5, 0.3, None), 0.7, 200, 1e-3, 1e-2, 1e-3, 0.1)


def network(train=CALM, dev=CALM, number=0, recipe=None, best=None):
    """A network of the final recipe with these losses, one evaluation every 100 steps."""
    steps = tuple(100 * (i + 1) for i in range(len(dev)))
    known = [loss for loss in dev if loss is not None]
    best_step = steps[dev.index(min(known))] if best is None else best
    trace = Trace(steps=steps, dev_loss=tuple(dev), train_loss=tuple(train))
    return Trial(number, number, recipe or Recipe(), 0, "finished", 0, steps[-1], best_step, min(known), "retrain", trace)


def run(networks=None, recipe=None, measured=None, **errors):
    """A sound run of three networks, but for what is given."""
    recipe = recipe or Recipe()
    trials = [network(number=i, recipe=recipe) for i in range(3)] if networks is None else [replace(n, recipe=recipe) for n in networks]
    return replace(case(**{**SOUND, **errors}, trials=trials), recipe=recipe, measured=measured or Measurements())


def finding(code, diseased):
    return next((each for each in findings(diseased) if each.code == code), None)


def the(code, diseased):
    """The finding of that code, which must be there."""
    seen = finding(code, diseased)
    assert seen is not None
    return seen


def found(diseased):
    return {each.code for each in findings(diseased) if each.outcome == "found" and each.code.startswith("SH2")}


def jittered(losses, seed, share=0.0):
    """A network's losses with noise of its own."""
    return tuple(float(loss) for loss in np.array(losses) * (1 + share * np.random.default_rng(seed).normal(size=len(losses))))


def test_a_sound_run_has_no_finding_about_its_training():
    assert found(run(measured=Measurements(rate_range=RATES, input_scales=(0.1, 1.0)))) == set()


DISEASED = {
    "SH203": run(measured=Measurements(rate_range=replace(RATES, used=0.5))),
    "SH204": run([network((0.69, 0.68, 0.67, 0.66, 0.65))] * 3, measured=Measurements(rate_range=replace(RATES, used=1e-5))),
    "SH205": run([network((0.70, 0.695, 0.694, 0.694), (0.695, 0.694, 0.6935, 0.694), i) for i in range(3)]),
    "SH206": run([network(jittered((0.6, *[0.5] * 19), i, 0.2), [0.5] * 20, i, best=900) for i in range(3)]),
    "SH207": run([network(CALM, jittered((0.6, 0.4, 0.45, 0.6, 0.7, 0.8), i, 0.01), i) for i in range(3)]),
    "SH208": run(recipe=Recipe(normalisation="batch", batch_size=4)),
    "SH209": run(recipe=Recipe(input_normalisation="none"), measured=Measurements(input_scales=(0.2, 300.0))),
    "SH210": run(recipe=Recipe(keep_prob=0.1), train=0.3, dev=0.3, test=0.3),
}


@pytest.mark.parametrize("code", DISEASED)
def test_each_disease_is_found_alone_with_its_evidence_and_advice(code):
    assert found(DISEASED[code]) == {code}
    seen = the(code, DISEASED[code])
    assert seen.advice and seen.evidence["threshold"] and seen.evidence["source"]
    json.dumps(seen.evidence, allow_nan=False)


def test_what_was_not_measured_does_not_apply():
    bare = case(train=0.1, dev=0.1, target=0.1)
    silent = {each.code for each in findings(bare) if each.outcome == "not applicable"}
    assert silent >= {"SH202", "SH203", "SH204", "SH205", "SH206", "SH207", "SH208", "SH209", "SH210"}


# the learning rate


@pytest.mark.parametrize("used", [4e-4, 1e-3, 1e-2, 0.1])
def test_rates_in_the_range_or_a_little_below_it_are_sound(used):
    assert not found(run(measured=Measurements(rate_range=replace(RATES, used=used)))) & {"SH203", "SH204"}


def test_a_low_rate_that_got_there_all_the_same_is_sound():
    """The training is longer than the range test: what counts is where it ended."""
    low = Measurements(rate_range=replace(RATES, used=1e-5))
    ends_below = [network((0.6, 0.5, 0.4, 0.3, 0.28), number=i) for i in range(3)]
    assert "SH204" not in found(run(ends_below, measured=low))
    one_of_three = [network((0.69, 0.68, 0.67, 0.66, end), number=i) for i, end in enumerate((0.65, 0.2, 0.3))]
    assert "SH204" not in found(run(one_of_three, measured=low))


def test_the_words_name_the_rate_and_the_range():
    text = the("SH203", DISEASED["SH203"]).text
    assert "0.5" in text and "0.001 to 0.1" in text and "200 steps" in text
    assert "1e-05" in the("SH204", DISEASED["SH204"]).text


# the losses


@pytest.mark.parametrize("shares", [{"a": 0.5, "b": 0.5}, {"a": 0.9, "b": 0.1, "c": 0.0}, {"a": 0.2, "b": 0.3, "c": 0.5}])
def test_knowing_nothing_costs_the_entropy_of_the_classes(shares):
    assert trivial_loss(run(class_shares=shares)) == pytest.approx(stats.entropy(list(shares.values())))


def test_a_network_that_knows_its_training_rows_by_heart_has_not_learned_nothing():
    by_heart = [network((0.6, 0.4, 0.2, 0.1), (0.694, 0.7, 0.9, 1.2), i) for i in range(3)]
    assert "SH205" not in found(run(by_heart))


def test_networks_that_scatter_widely_but_are_all_above_the_trivial_answer_have_learned_nothing():
    wide = [network((2.0, end), (2.0, end), i) for i, end in enumerate((0.7, 1.2, 3.0))]
    assert "SH205" in found(run(wide))
    assert "SH205" not in found(run([*wide[:2], network((0.7, 0.3), (0.7, 0.4), 2)]))


def test_a_slow_start_is_no_flat_loss():
    slow = [network((0.694, 0.693, 0.66, 0.6), (0.694, 0.69, 0.65, 0.6), i) for i in range(3)]
    assert "SH205" not in found(run(slow))


def test_rises_that_are_small_beside_the_fall_are_no_noise():
    steady = [network(jittered(np.geomspace(0.7, 0.3, 20), i, 0.02), [0.5] * 20, i) for i in range(3)]
    assert "SH206" not in found(run(steady))
    few = [network((0.6, 0.7, 0.6, 0.7), [0.5] * 4, i) for i in range(3)]
    assert the("SH206", run(few)).outcome == "not applicable"


def test_past_its_best_is_a_note_says_when_and_is_graver_where_the_loss_rose_by_half():
    mild = run([network(CALM, (0.6, 0.5, 0.40, 0.41, 0.42, 0.43), i) for i in range(3)])
    far = run([network(CALM, (0.6, 0.5, 0.40, 0.7, 0.8, 0.9), i) for i in range(3)])
    assert the("SH207", mild).severity == "note" and the("SH207", far).severity == "low"
    assert the("SH207", mild).evidence["best_at"][0] == pytest.approx(0.5)
    assert the("SH207", mild).evidence["rise"][0] == pytest.approx(0.43 / 0.40 - 1)
    assert "50 %" in the("SH207", mild).text


def test_a_last_wiggle_is_not_past_the_best():
    assert "SH207" not in found(run([network(CALM, (0.6, 0.5, 0.40, 0.402, 0.401, 0.405), i) for i in range(3)]))


def test_only_networks_of_the_final_recipe_count():
    earlier = network(recipe=Recipe(keep_prob=0.5), number=7)
    searched = replace(network(number=8), purpose="search")
    judged = run()
    judged = replace(judged, trials=(*judged.trials, earlier, searched))
    assert [trial.number for trial in final_networks(judged)] == [0, 1, 2]


def test_gaps_in_a_trace_and_networks_that_diverged_at_once_do_not_matter():
    nothing = Trial(0, 0, Recipe(), 0, "diverged", 0, 100, 0, None, "retrain", Trace((100,), (), (None,), (None,), (None,), (None,)))
    findings(run([nothing]))
    assert "SH207" in found(run([network((0.6, None, 0.5, 0.4, 0.3, 0.2), (0.6, 0.4, None, 0.6, 0.7, 0.8), i) for i in range(3)]))


# the recipe


@pytest.mark.parametrize(
    "size, severity", [(2, "high"), (7, "high"), (8, "medium"), (15, "medium"), (16, None), (128, None), ("all", None)]
)
def test_batch_norm_wants_sixteen_examples(size, severity):
    seen = finding("SH208", run(recipe=Recipe(normalisation="batch", batch_size=size)))
    assert (seen.severity if seen else None) == severity


def test_other_normalisations_take_any_batch():
    assert the("SH208", run(recipe=Recipe(normalisation="layer", batch_size=2))).outcome == "not applicable"


@pytest.mark.parametrize("scales, is_found", [((0.1, 1.0), False), ((0.4, 8.0), False), ((1.0, 50.0), True), ((1e-5, 1e-3), True)])
def test_raw_inputs_matter_where_they_are_large_or_tiny(scales, is_found):
    raw, scaled = Recipe(input_normalisation="none"), Recipe(input_normalisation="standard")
    assert ("SH209" in found(run(recipe=raw, measured=Measurements(input_scales=scales)))) == is_found
    assert "SH209" not in found(run(recipe=scaled, measured=Measurements(input_scales=scales)))


STRONG: dict[str, float] = {
    "keep_prob": 0.2, "input_keep_prob": 0.2, "l2": 1000.0, "l1": 100.0, "weight_decay": 10.0, "input_noise": 2.0, "mixup": 4.0,
    "label_smoothing": 0.5, "max_norm": 0.1,
}  # fmt: skip


@pytest.mark.parametrize("name", STRONG)
def test_the_regulariser_is_named(name):
    recipe = replace(Recipe(), **{name: STRONG[name]})
    assert strong_regularisers(recipe, 20_000) == {name: STRONG[name]}
    seen = the("SH210", run(recipe=recipe, train=0.3, dev=0.3, test=0.3))
    assert seen.outcome == "found" and name in seen.text
    assert seen.gain == pytest.approx(0.15, abs=0.01)  # behind the linear model


@pytest.mark.parametrize("setting", [{}, {"keep_prob": 0.5}, {"weight_decay": 0.1}, {"l2": 10.0}, {"mixup": 0.4}, {"max_norm": 2.0}])
def test_usual_regularisation_is_not_strong(setting):
    assert "SH210" not in found(run(recipe=Recipe(**setting), train=0.3, dev=0.3, test=0.3))


def test_strong_regularisation_that_pays_or_leaves_variance_is_not_blamed():
    strong = Recipe(keep_prob=0.2)
    assert "SH210" not in found(run(recipe=strong))  # ahead of the linear model
    assert "SH210" not in found(run(recipe=strong, train=0.1, dev=0.3, test=0.3))  # it still overfits


# on real tables


def result(name, target, drop=(), rows=2500, seed=0, **settings):
    table = pl.read_csv(FOLDER / f"{name}.csv.gz", infer_schema_length=None).drop(*drop).sample(rows, shuffle=True, seed=seed)
    recipe = Recipe(**{"hidden_units": (32, 32), "batch_size": 64, "epochs": 10.0, "learning_rate": 3e-3, **settings})
    return shoal.train(table, target=target, recipe=recipe, seeds=3, seed=seed)


def alarms(of):
    return {each.code for each in of.record.findings if each.outcome == "found" and each.code.startswith("SH2") and each.severity != "note"}


TABLES = (("telco_churn", "Churn", ("customerID",)),)  # make faults looks at six


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the real tables are expected in {FOLDER}")
@pytest.mark.parametrize("name, target, drop", TABLES)
def test_on_real_tables_a_rate_a_hundred_times_off_is_found_and_sound_ones_are_not_blamed(name, target, drop):
    assert not {"SH203", "SH204", "SH205", "SH206"} & alarms(result(name, target, drop, learning_rate=1e-2))
    assert "SH203" in alarms(result(name, target, drop, learning_rate=1.0))
    assert "SH204" in alarms(result(name, target, drop, learning_rate=1e-5))
