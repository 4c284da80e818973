"""Models of several recipes: each network as it predicts alone, saved and loaded, their spread, and the ensemble of a search."""

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import jax
import numpy as np
import polars as pl
import pytest

from shoal import data, storage
from shoal.calibration import scaled
from shoal.ensemble import calibrated, ensemble_of, inputs_of, model_of, of_all_shapes
from shoal.ensemble_selection import select
from shoal.errors import DataError, OptionError, RunFolderError
from shoal.metrics import METRICS, score
from shoal.model import Model
from shoal.population import take
from shoal.recipe import Recipe
from shoal.trainer import Network, Trainer, own_seed

# --- models of several recipes ----------------------------------------------------------------------------------------------------

CLASSES = [
    Recipe((8,), epochs=6.0),
    Recipe((5, 3), "tanh", epochs=4.0, batch_size=16, input_normalisation="quantile", input_scale_rate=10.0),
    Recipe((16,), epochs=5.0, numeric_encoding="piecewise", normalisation="batch"),
    Recipe((), epochs=3.0),
]
VALUES = [Recipe((8,), epochs=6.0), Recipe((8, 8), epochs=6.0, loss="huber"), Recipe((8,), epochs=6.0, loss="poisson", batch_size=16)]


def trained(source, recipes, seeds=2, **options):
    trainer = Trainer(data.load(source, seed=0, **options), 0)
    pairs = [(recipe, seed) for seed in range(seeds) for recipe in recipes]  # recipes take turns: models order them
    networks = [Network(10 + number, own_seed(0, seed), recipe) for number, (recipe, seed) in enumerate(pairs)]
    trainer.train("all", networks)
    return trainer, networks


@pytest.fixture(scope="module")
def wine():
    return trained("example:wine", CLASSES)


@pytest.fixture(scope="module")
def diabetes():
    return trained("example:diabetes", VALUES)


@pytest.fixture(scope="module", params=["wine", "diabetes"])
def both(request):
    return request.getfixturevalue(request.param)


def by_shape(networks):
    """Those of the first recipe, and the others'."""
    return [each for each in networks if each.recipe == networks[0].recipe], [
        each for each in networks if each.recipe != networks[0].recipe
    ]


def by_recipe(networks):
    return [network for recipe in dict.fromkeys(network.recipe for network in networks) for network in networks if network.recipe == recipe]


def test_each_network_predicts_as_it_does_alone_and_the_mean_is_theirs(both):
    trainer, networks = both
    model = model_of(trainer, networks)
    assert model.size == len(networks) and len(model.parts) == len({network.recipe for network in networks})
    members = model.member_outputs(inputs_of(trainer, model, "dev"))
    for member, network in zip(members, by_recipe(networks), strict=True):
        np.testing.assert_allclose(member, trainer.outputs([network], "dev")[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.outputs(inputs_of(trainer, model, "dev")), members.mean(0))
    assert model.scores == tuple(network.score for network in by_recipe(networks))


def test_shares_follow_their_networks_into_the_models_order(both):
    trainer, networks = both
    shares = np.arange(1.0, len(networks) + 1)
    shares /= shares.sum()
    model = model_of(trainer, networks, shares)
    expected = sum(share * trainer.outputs([network], "dev")[0] for share, network in zip(shares, networks, strict=True))
    np.testing.assert_allclose(model.outputs(inputs_of(trainer, model, "dev")), expected, rtol=1e-5, atol=1e-6)


def test_a_table_reaches_each_recipe_as_it_normalises_it(wine):
    trainer, networks = wine
    predicted = model_of(trainer, networks).predict("example:wine", proba=True)
    alone = [trainer.model([network]).predict("example:wine", proba=True) for network in networks]
    for column in predicted.columns[1:]:
        np.testing.assert_allclose(predicted[column], np.mean([each[column] for each in alone], axis=0), rtol=1e-5, atol=1e-6)


def test_a_model_that_is_calibrated_again_keeps_its_temperature(wine):
    trainer, networks = wine
    once = calibrated(trainer, model_of(trainer, networks))
    assert once.temperature != 1
    assert calibrated(trainer, once).temperature == once.temperature


def test_one_array_of_inputs_will_not_do_for_recipes_that_normalise_them_differently(wine):
    trainer, networks = wine
    model = model_of(trainer, networks)
    with pytest.raises(ValueError, match="one array per recipe"):
        model.outputs(trainer.dataset.inputs["dev"])
    alike = model_of(trainer, [networks[0], networks[3]])
    np.testing.assert_array_equal(alike.outputs(trainer.dataset.inputs["dev"]), alike.outputs(inputs_of(trainer, alike, "dev")))


def test_a_saved_and_loaded_model_predicts_the_same_bits(both, tmp_path: Path):
    trainer, networks = both
    shares = np.full(len(networks), 1 / len(networks))
    model = calibrated(trainer, model_of(trainer, networks, shares))
    model.save(tmp_path)
    loaded = Model.load(tmp_path)
    table = trainer.dataset.source
    for before, after in pairwise([each.predict(table, proba=True, spread=True) for each in (model, loaded)]):
        assert before.equals(after)
    assert (loaded.shares, loaded.scores, loaded.temperature) == (model.shares, model.scores, model.temperature)
    assert [part.recipe for part in loaded.parts] == [part.recipe for part in model.parts]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "weights.safetensors"]


def save_in_format_1(model: Model, folder: Path) -> None:
    """As the first version of shoal wrote a model: the arrays numbered through, one recipe."""
    model.save(folder)
    content = storage.read_json(folder / "model.json", 2)
    arrays = storage.read_arrays(folder / "weights.safetensors")
    (part,) = content["parts"]
    checksum = storage.write_arrays(folder / "weights.safetensors", {name.removeprefix("0."): each for name, each in arrays.items()})
    old = {"format": 1, "weights_sha256": checksum, "temperature": content["temperature"], **part}
    assert list(old) == ["format", "weights_sha256", "temperature", "networks", "recipe", "layout", "preparation"]
    storage.write_json(folder / "model.json", old)


def test_a_model_of_format_1_is_still_read(wine, tmp_path: Path):
    trainer, networks = wine
    reference = np.ones((3, 13), np.float32)
    model = replace(model_of(trainer, [networks[2], networks[6]]), temperature=1.7, reference=reference)
    save_in_format_1(model, tmp_path)
    loaded = Model.load(tmp_path)
    assert loaded.predict("example:wine", proba=True).equals(model.predict("example:wine", proba=True))
    assert (loaded.temperature, loaded.others, loaded.shares, loaded.scores) == (1.7, (), None, None)
    np.testing.assert_array_equal(loaded.reference, reference)
    with pytest.raises(OptionError, match=r"single\(0\) to single\(1\)"):
        loaded.single()
    assert loaded.single(1).size == 1


def test_a_newer_format_and_a_missing_part_are_refused(wine, tmp_path: Path):
    trainer, networks = wine
    model_of(trainer, networks).save(tmp_path)
    content = json.loads((tmp_path / "model.json").read_text())["content"]
    storage.write_json(tmp_path / "model.json", {**content, "format": 3})
    with pytest.raises(RunFolderError, match="newer than 2"):
        Model.load(tmp_path)
    for damaged in ({"parts": []}, {"parts": content["parts"][1:]}, {"shares": ["much"]}):
        storage.write_json(tmp_path / "model.json", {**content, **damaged})
        with pytest.raises(RunFolderError, match="fits its description"):
            Model.load(tmp_path)


# --- the spread between networks, and one network alone -----------------------------------------------------------------------------


def test_the_spread_of_values_is_numpys_standard_deviation_in_the_targets_unit(diabetes):
    trainer, networks = diabetes
    model = model_of(trainer, networks)
    predicted = model.predict("example:diabetes", spread=True)
    members = model.member_outputs(model.inputs("example:diabetes"))
    np.testing.assert_allclose(predicted["spread"], members.std(axis=0, ddof=1), rtol=1e-10)
    assert predicted.columns == ["prediction", "spread"]
    assert 1 < predicted["spread"].to_numpy().mean() < 77  # the target's own standard deviation
    assert model.predict("example:diabetes").columns == ["prediction"]


def test_the_spread_of_classes_is_that_of_the_predicted_classs_probability_at_the_models_temperature(wine):
    trainer, networks = wine
    model = replace(model_of(trainer, networks), temperature=2.0)
    predicted = model.predict("example:wine", proba=True, spread=True)
    members = model.member_outputs(model.inputs("example:wine"))
    at_temperature = np.sqrt(members) / np.sqrt(members).sum(-1, keepdims=True)  # softmax(log(p) / 2)
    chosen = members.mean(0).argmax(1)
    expected = [at_temperature[:, row, label].std(ddof=1) for row, label in enumerate(chosen)]
    np.testing.assert_allclose(predicted["spread"], expected, rtol=1e-7)
    assert predicted.columns[-1] == "spread"


def test_a_spread_with_shares_is_that_of_networks_repeated_as_often(diabetes):
    """Reliability weights: shares of 1/2, 1/4, 1/4 by hand, and equal shares as without."""
    trainer, networks = diabetes
    three = networks[:3]
    model = model_of(trainer, three, [0.5, 0.25, 0.25])
    one, two, three_ = members = model.member_outputs(model.inputs("example:diabetes"))
    mean = one / 2 + two / 4 + three_ / 4
    variance = ((one - mean) ** 2 / 2 + (two - mean) ** 2 / 4 + (three_ - mean) ** 2 / 4) / (1 - 1 / 4 - 1 / 16 - 1 / 16)
    np.testing.assert_allclose(model.spread(members), np.sqrt(variance))
    np.testing.assert_allclose(replace(model, shares=(1 / 3,) * 3).spread(members), members.std(0, ddof=1))


def test_each_label_has_a_spread_of_its_own():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    table = {f"x{k}": x[:, k] for k in range(3)} | {"a": (x[:, 0] > 0).astype(int), "b": (x[:, 1] > 0).astype(int)}
    frame = pl.DataFrame(table)
    trainer, networks = trained(frame, [Recipe((8,), epochs=2.0)], seeds=3, target=["a", "b"])
    model = model_of(trainer, networks)
    predicted = model.predict(frame, spread=True)
    assert predicted.columns == ["a", "b", "spread_a", "spread_b"]
    members = model.member_outputs(model.inputs(frame))
    np.testing.assert_allclose(predicted["spread_b"], members[..., 1].std(0, ddof=1), rtol=1e-7)


def test_a_single_network_has_no_spread(wine):
    trainer, networks = wine
    with pytest.raises(OptionError, match="two or more networks; received a model of a single network"):
        model_of(trainer, networks[:1]).predict("example:wine", spread=True)


def test_single_is_the_network_of_the_lowest_dev_loss(both):
    trainer, networks = both
    model = replace(model_of(trainer, networks), temperature=3.0)
    best = min(networks, key=lambda network: network.score)
    single = model.single()
    assert (single.size, single.recipe, single.temperature, single.others) == (1, best.recipe, 1.0, ())
    np.testing.assert_allclose(single.outputs(inputs_of(trainer, single, "dev")), trainer.outputs([best], "dev")[0], rtol=1e-5, atol=1e-6)
    members = model.member_outputs(inputs_of(trainer, model, "dev"))
    for number, member in enumerate(members):
        one = model.single(number)
        np.testing.assert_allclose(one.outputs(inputs_of(trainer, one, "dev")), member, rtol=1e-5, atol=1e-6)
    for number in (-1, len(networks)):
        with pytest.raises(OptionError, match=f"is 0 to {len(networks) - 1}; received {number}"):
            model.single(number)


# --- from networks to an ensemble ---------------------------------------------------------------------------------------------------


def test_the_ensemble_of_a_search_is_the_selection_from_its_networks(both, tmp_path: Path):
    trainer, networks = both
    is_regression = trainer.dataset.task == "regression"
    metric, loss = (METRICS["rmse"], "squared_error") if is_regression else (METRICS["error"], "log_loss")
    model, record = ensemble_of(trainer, networks, metric, 0, default=networks[:2], bags=1)
    truth, weights = trainer.dataset.truth["dev"], trainer.dataset.weights["dev"]
    outputs = np.stack([trainer.outputs([network], "dev")[0] for network in networks])
    shares = select(outputs, truth, weights, loss).shares
    assert dict(record.shares) == pytest.approx({networks[place].number: shares[place] for place in np.flatnonzero(shares)})
    mean = np.tensordot(shares, outputs, 1)
    predicted = model.outputs(inputs_of(trainer, model, "dev"))
    np.testing.assert_allclose(predicted, scaled(mean, model.temperature), rtol=1e-4, atol=1e-6)
    assert (model.temperature == 1) == is_regression
    assert record.chosen.value == pytest.approx(score(metric, truth, mean, weights), rel=1e-5)
    assert record.default is not None
    assert record.default.value == pytest.approx(score(metric, truth, outputs[:2].mean(0), weights), rel=1e-5)
    assert record.library == len(networks) and model.size == len(record.shares) and model.reference is not None
    model.save(tmp_path)
    assert Model.load(tmp_path).predict(trainer.dataset.source).equals(model.predict(trainer.dataset.source))


def test_all_shapes_predict_together_unless_they_are_worse_by_more_than_a_standard_error(both):
    trainer, networks = both
    best, others = by_shape(networks)
    model, record = of_all_shapes(trainer, best, others)
    assert record is not None
    truth = trainer.dataset.truth["dev"]
    mean, alone = (
        model_of(trainer, group).outputs(inputs_of(trainer, model_of(trainer, group), "dev")) for group in ([*best, *others], best)
    )
    if trainer.dataset.task == "classification":
        rows = -np.log(mean[np.arange(len(truth)), truth]) + np.log(alone[np.arange(len(truth)), truth])
    else:
        rows = np.square(mean - truth) - np.square(alone - truth)
    standard_error = rows.std() / np.sqrt(len(rows))
    found = record.minus_best
    assert found.value == pytest.approx(rows.mean(), rel=1e-9)
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(standard_error, rel=0.25)
    assert record.taken == (rows.mean() <= standard_error)
    assert (record.networks, record.own, record.shapes) == (len(networks), len(best), len({each.recipe for each in networks}))
    np.testing.assert_array_equal(model.outputs(inputs_of(trainer, model, "dev")), mean if record.taken else alone)


def test_shapes_that_predict_badly_are_left_out_as_are_those_that_diverged(wine):
    trainer, networks = wine
    best, others = by_shape(networks)
    bad = [replace(each, recipe=replace(each.recipe, epochs=0.1), state=None, steps=0, score=math.inf) for each in others]
    trainer.train("bad", bad)
    for each in bad:
        each.state = each.state._replace(
            best=each.state.best._replace(parameters=jax.tree.map(lambda w: 3 * w, each.state.best.parameters))
        )
    model, record = of_all_shapes(trainer, best, bad)
    assert record is not None and not record.taken and record.minus_best.value > 0 and model.size == len(best)
    model, record = of_all_shapes(trainer, best, [replace(each, score=math.inf) for each in others])
    assert record is None and model.size == len(best)


def test_networks_without_weights_are_left_out_and_none_at_all_is_an_error(wine):
    trainer, networks = wine
    gone = [replace(networks[0], state=None), replace(networks[1], score=math.inf)]
    _, record = ensemble_of(trainer, [*gone, *networks[2:]], METRICS["error"], 0)
    assert record.library == len(networks) - 2
    assert record.default is None and record.gain is None and record.better == "cannot tell"
    with pytest.raises(DataError, match="2 networks, all diverged or without weights"):
        ensemble_of(trainer, gone, METRICS["error"], 0)


def test_layers_padded_wider_than_their_recipe_asks_for_are_used_as_they_are(wine):
    trainer, _ = wine
    recipe = Recipe((6,), epochs=3.0)
    shoal = trainer.shoal(recipe.shape, 32, recipe.techniques, 2)
    network = Network(0, 1, recipe)
    numbers = shoal.numbers([recipe], [1])
    state = shoal.start(numbers)
    state, _ = shoal.advance(state, numbers, 0, 4, 1)
    network.state, network.score = take(state, [0]), 1.0
    model = model_of(trainer, [network])
    assert model.layout.width == 32
    assert model.predict("example:wine").height == 178
