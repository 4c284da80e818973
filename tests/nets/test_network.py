"""Whole networks: how they start, against theory and PyTorch's initialisers, and what their outputs are, against PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from shoal.nets import layers
from shoal.nets.network import Draws, Layout, corrected_statistics, draw, initialise, is_weight, outputs, train_outputs
from shoal.recipe import Activation, Normalisation, Recipe, Shape

BETA = Recipe().batch_norm_beta
TORCH = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


def layout(
    hidden_layers=2, activation: Activation = "relu", normalisation: Normalisation = "none", width=12, inputs=8, outputs=3, batch_size=16,
    techniques=(),
):  # fmt: skip
    return Layout(Shape(hidden_layers, activation, normalisation, batch_size), width, inputs, 0, outputs, "softmax", techniques)


def numbers_of(units, seed=0, dtype=jnp.float32, **settings):
    numbers = Recipe(tuple(units), **settings).numbers(seed)
    return jax.tree.map(lambda value: value.astype(dtype) if np.issubdtype(value.dtype, np.floating) else value, numbers)


def begun(of, units, inputs, seed=0, dtype=jnp.float32, sample=None, **settings):
    return initialise(of, numbers_of(units, seed, dtype, **settings), jnp.arange(of.inputs) < inputs, sample, dtype)


@pytest.mark.parametrize(("name", "gain"), [("he", "relu"), ("xavier", "linear")])
def test_initial_weights_scatter_as_pytorchs_kaiming_normal_with_the_true_number_of_inputs(name, gain):
    parameters, _ = begun(layout(width=400, inputs=304), (300, 350), 300, initialisation=name)
    torch.manual_seed(0)
    for layer, (fan_in, fan_out) in enumerate([(300, 300), (300, 350)]):
        reference = torch.nn.init.kaiming_normal_(torch.empty(fan_out, fan_in), nonlinearity=gain)
        own = np.asarray(parameters[layer]["w"])[:fan_in, :fan_out]
        assert own.std() == pytest.approx(float(reference.std()), rel=0.015)
        assert own.std() == pytest.approx({"he": np.sqrt(2 / fan_in), "xavier": np.sqrt(1 / fan_in)}[name], rel=0.01)
    assert np.asarray(parameters[2]["w"])[:350].std() == pytest.approx(np.sqrt(1 / 350), rel=0.08)  # no activation follows


@pytest.mark.parametrize("normalisation", ["none", "batch", "layer"])
def test_everything_beyond_the_networks_own_width_and_inputs_starts_at_0(normalisation):
    parameters, _ = begun(layout(normalisation=normalisation), (7, 5), 6)
    first, second, last = (np.asarray(layer["w"]) for layer in parameters)
    for outside in (first[6:], first[:, 7:], second[7:], second[:, 5:], last[5:]):
        assert outside.size and not outside.any()
    assert first[:6, :7].all() and second[:7, :5].all() and last[:5].all()


def test_the_same_seed_draws_the_same_weights_whatever_the_padding_and_another_seed_others():
    narrow, wide, other = (begun(layout(width=width), (7, 7), 6, seed=seed)[0] for width, seed in ((7, 1), (12, 1), (7, 2)))
    np.testing.assert_array_equal(narrow[1]["w"], wide[1]["w"][:7, :7])
    assert abs(np.corrcoef(np.ravel(narrow[1]["w"]), np.ravel(other[1]["w"]))[0, 1]) < 0.5


def test_layers_of_one_network_start_with_different_weights():
    parameters, _ = begun(layout(hidden_layers=3), (12, 12, 12), 8)
    assert abs(np.corrcoef(np.ravel(parameters[1]["w"]), np.ravel(parameters[2]["w"]))[0, 1]) < 0.3


def test_decay_applies_to_weights_and_not_to_biases_gamma_or_beta():
    parameters, _ = begun(layout(normalisation="batch"), (12, 12), 8)
    assert is_weight(parameters) == ({"w": True, "gamma": False, "beta": False},) * 2 + ({"w": True, "b": False},)


def test_the_bias_before_batch_norm_is_dropped_because_it_cancels():
    parameters, _ = begun(layout(normalisation="batch"), (12, 12), 8)
    assert all("b" not in layer for layer in parameters[:-1]) and "b" in parameters[-1]


@pytest.mark.parametrize("normalisation", ["none", "batch", "layer"])
@pytest.mark.parametrize("hidden_layers", [0, 1, 3])
def test_a_layouts_count_of_parameters_is_what_its_networks_hold(hidden_layers, normalisation):
    of = layout(hidden_layers, normalisation=normalisation)
    parameters, _ = begun(of, (12,) * hidden_layers, 8)
    assert of.parameters == sum(leaf.size for leaf in jax.tree.leaves(parameters))


@pytest.mark.parametrize("activation", TORCH)
def test_outputs_are_pytorchs_with_the_same_weights(float64, activation):
    of = layout(activation=activation)
    parameters, statistics = begun(of, (12, 12), 8, dtype=jnp.float64)
    x = np.random.default_rng(0).normal(size=(16, 8))
    a = torch.tensor(x)
    for layer in parameters[:-1]:
        a = TORCH[activation](a @ torch.tensor(np.asarray(layer["w"])) + torch.tensor(np.asarray(layer["b"])))
    expected = a @ torch.tensor(np.asarray(parameters[-1]["w"])) + torch.tensor(np.asarray(parameters[-1]["b"]))
    ours = outputs(of, parameters, statistics, jnp.asarray(x), jnp.array([12, 12]))
    np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-13)


def test_no_hidden_layer_is_softmax_regression(float64):
    of = layout(hidden_layers=0)
    parameters, statistics = begun(of, (), 8, dtype=jnp.float64)
    x = np.random.default_rng(0).normal(size=(16, 8))
    ours = outputs(of, parameters, statistics, jnp.asarray(x), jnp.zeros(0, jnp.int32))
    np.testing.assert_allclose(ours, x @ np.asarray(parameters[0]["w"]), rtol=1e-10)


def test_running_averages_are_pytorchs_with_the_bias_of_the_start_taken_away_and_the_variance_biased(float64):
    """PyTorch's running averages start anywhere and keep the unbiased variance; ours are corrected averages of the biased one."""
    of = layout(hidden_layers=1, activation="relu", normalisation="batch")
    parameters, statistics = begun(of, (12,), 8, dtype=jnp.float64)
    batches = np.random.default_rng(1).normal(size=(5, 16, 8)) * np.arange(1, 6)[:, None, None]
    w, numbers = np.asarray(parameters[0]["w"]), numbers_of((12,), dtype=jnp.float64)
    mean, variance = torch.zeros(12, dtype=torch.float64), torch.zeros(12, dtype=torch.float64)
    for step, x in enumerate(batches):
        _, statistics = train_outputs(of, parameters, statistics, numbers, jnp.asarray(x), jnp.ones(16), Draws())
        torch.nn.functional.batch_norm(
            torch.tensor(x @ w), mean, variance, training=True, momentum=1 - BETA, eps=layers.NORMALISATION_EPSILON
        )
    correction = 1 - BETA**5
    deviation = np.sqrt(variance.numpy() * 15 / 16 / correction + layers.NORMALISATION_EPSILON)
    expected = (batches[0] @ w - mean.numpy() / correction) / deviation
    head = parameters[1]
    statistics = corrected_statistics(statistics, numbers, jnp.int32(5))
    ours = outputs(of, parameters, statistics, jnp.asarray(batches[0]), jnp.array([12]))
    np.testing.assert_allclose(ours, np.maximum(expected, 0) @ np.asarray(head["w"]) + np.asarray(head["b"]), rtol=1e-9, atol=1e-12)


def test_padding_rows_count_neither_in_the_batchs_outputs_nor_in_the_running_averages(float64):
    of = layout(hidden_layers=1, normalisation="batch")
    parameters, statistics = begun(of, (12,), 8, dtype=jnp.float64)
    x = np.random.default_rng(1).normal(size=(16, 8))
    present, numbers = jnp.asarray(np.arange(16) < 9, float), numbers_of((12,), dtype=jnp.float64)
    results = []
    for padding in (0.0, 1e5):
        padded = np.where(np.arange(16)[:, None] < 9, x, padding)
        z, after = train_outputs(of, parameters, statistics, numbers, jnp.asarray(padded), present, Draws())
        results.append((z[:9], after))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), *results)


def test_dropout_is_on_in_training_per_layer_and_off_in_use():
    of = layout(techniques=("dropout", "input_dropout"))
    parameters, statistics = begun(of, (12, 12), 8)
    x, units = jnp.ones((16, 8)), jnp.array([12, 12])
    in_use = outputs(of, parameters, statistics, x, units)
    step_noise = [draw(of, jnp.uint32(0), jnp.int32(step)) for step in (0, 0, 1)]

    def trained(noise, *keep_prob):
        numbers = numbers_of((12, 12), input_keep_prob=keep_prob[0], keep_prob=keep_prob[1:])
        return np.asarray(train_outputs(of, parameters, statistics, numbers, x, jnp.ones(16), noise)[0])

    np.testing.assert_allclose(trained(step_noise[0], 1.0, 1.0, 1.0), in_use, rtol=1e-5, atol=1e-6)
    layerwise = [trained(step_noise[0], *keep) for keep in ((0.5, 1.0, 1.0), (1.0, 0.5, 1.0), (1.0, 1.0, 0.5))]
    for one in layerwise:
        assert len(np.unique(one.round(5), axis=0)) > 8  # equal rows drop different units
    assert not np.allclose(layerwise[0], layerwise[1]) and not np.allclose(layerwise[1], layerwise[2])
    np.testing.assert_array_equal(trained(step_noise[0], 0.5, 0.5, 0.5), trained(step_noise[1], 0.5, 0.5, 0.5))
    assert not np.allclose(trained(step_noise[0], 0.5, 0.5, 0.5), trained(step_noise[2], 0.5, 0.5, 0.5))
