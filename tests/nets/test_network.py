"""Whole networks: how they start, against theory and PyTorch's initialisers, and what their outputs are, against PyTorch."""

import functools
from dataclasses import replace
from itertools import pairwise
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy import stats

from shoal.nets import layers
from shoal.nets.network import Draws, Layout, corrected_statistics, draw, initialise, is_weight, outputs, train_outputs
from shoal.orthogonal import EXACT, orthogonalised
from shoal.recipe import INITIALISATIONS, Activation, Normalisation, Recipe, Shape, stack

pytestmark = pytest.mark.usefixtures("float64")  # one precision, so that few programs are compiled
BETA = Recipe().batch_norm_beta
EPSILON = layers.NORMALISATION_EPSILON
TORCH = {
    "identity": torch.nn.Identity, "relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid, "gelu": torch.nn.GELU,
    "leaky_relu": torch.nn.LeakyReLU, "elu": torch.nn.ELU, "selu": torch.nn.SELU, "silu": torch.nn.SiLU,
}  # fmt: skip
ORTHOGONAL = ("orthogonal",)
LSUV = ("lsuv", "orthogonal")
QUICKLY = {"xla_backend_optimization_level": "0", "xla_llvm_disable_expensive_passes": True}


def layout(
    hidden_layers=2, activation: Activation = "relu", normalisation: Normalisation = "none", width=12, inputs=8, outputs=3, batch_size=16,
    techniques=(),
):  # fmt: skip
    return Layout(Shape(hidden_layers, activation, normalisation, batch_size), width, inputs, 0, outputs, "softmax", techniques)


def numbers_of(units, seed=0, dtype=jnp.float64, **settings):
    numbers = Recipe(tuple(units), **settings).numbers(seed)
    return jax.tree.map(lambda value: value.astype(dtype) if np.issubdtype(value.dtype, np.floating) else value, numbers)


def begun(of, units, inputs, seed=0, dtype=jnp.float64, sample=None, **settings):
    return initialise(of, numbers_of(units, seed, dtype, **settings), jnp.arange(of.inputs) < inputs, sample, dtype)


def of_layer(parameters, layer, *size):
    """The part of a layer's padded weights that belongs to the network."""
    return np.asarray(parameters[layer]["w"], np.float64)[: size[0], : size[1]]


WIDE = layout(width=400, inputs=304, outputs=20)


@pytest.mark.parametrize("gain", [1.0, 1.7])
@pytest.mark.parametrize(
    ("name", "draw_in_torch"),
    [
        ("he", functools.partial(torch.nn.init.kaiming_normal_, nonlinearity="relu")),
        ("xavier", functools.partial(torch.nn.init.kaiming_normal_, nonlinearity="linear")),  # the course's name; PyTorch's is glorot
        ("glorot", torch.nn.init.xavier_normal_),
        ("small_random", functools.partial(torch.nn.init.normal_, std=0.01)),
    ],
)
def test_initial_weights_scatter_as_pytorchs_with_the_true_numbers_of_units(name, draw_in_torch, gain):
    parameters, _ = begun(WIDE, (300, 350), 300, initialisation=name, initialisation_gain=gain)
    torch.manual_seed(0)
    for layer, (n_in, n_out) in enumerate([(300, 300), (300, 350)]):
        reference = gain * draw_in_torch(torch.empty(n_out, n_in))
        own = of_layer(parameters, layer, n_in, n_out)
        assert own.std() == pytest.approx(float(reference.std()), rel=0.01)
        assert abs(own.mean()) < 4 * own.std() / np.sqrt(own.size)
        assert stats.kstest(own.ravel() / own.std(), "norm").pvalue > 0.001


def test_he_of_the_output_layer_is_xavier_for_no_relu_follows_it():
    parameters, _ = begun(WIDE, (300, 350), 300, initialisation="he")
    assert np.asarray(parameters[2]["w"])[:350].std() == pytest.approx(np.sqrt(1 / 350), rel=0.03)


@pytest.mark.parametrize("name", [name for name in INITIALISATIONS if name != "lsuv"])
def test_the_gain_is_a_factor_on_all_weights_and_on_nothing_else(name):
    once, twice = (begun(layout(techniques=ORTHOGONAL), (7, 5), 8, initialisation=name, initialisation_gain=gain)[0] for gain in (1.0, 3.0))
    for layer, other in zip(once, twice, strict=True):
        np.testing.assert_allclose(other["w"], 3 * layer["w"], rtol=1e-12)
        assert not np.asarray(layer["b"]).any() and not np.asarray(other["b"]).any()
        assert np.asarray(layer["w"]).any() == (name != "zeros")


def test_kind_and_gain_are_data_of_one_program_and_a_network_begins_as_it_would_alone():
    of = layout(techniques=LSUV)
    sample = jnp.asarray(np.random.default_rng(0).normal(size=(40, 8)))

    @functools.partial(jax.jit, compiler_options=QUICKLY)
    @jax.vmap
    def begin(numbers):
        return initialise(of, numbers, jnp.ones(8, bool), sample, jnp.float64)[0]

    numbers = [numbers_of((7, 5), initialisation=name, initialisation_gain=1.5) for name in INITIALISATIONS]
    together = begin(stack(numbers))
    for place, name in enumerate(INITIALISATIONS):
        used = layout(techniques={"orthogonal": ORTHOGONAL, "lsuv": LSUV}.get(name, ()))
        alone, _ = begun(used, (7, 5), 8, sample=sample, initialisation=name, initialisation_gain=1.5)
        jax.tree.map(lambda a, b, place=place: np.testing.assert_allclose(a[place], b, rtol=1e-10, atol=1e-13), together, alone)
    begin(stack(numbers[::-1]))
    assert begin._cache_size() == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("units", [(7, 5), (5, 7), (12, 12), (1, 3)])
def test_orthogonal_weights_are_orthonormal_on_their_smaller_side_whatever_the_padding(units):
    parameters, _ = begun(layout(techniques=ORTHOGONAL), units, 6, seed=3, initialisation="orthogonal", initialisation_gain=2.0)
    for layer, (n_in, n_out) in enumerate(pairwise((6, *units, 3))):
        w = of_layer(parameters, layer, n_in, n_out) / 2
        products = w.T @ w if n_out <= n_in else w @ w.T
        np.testing.assert_allclose(products, np.eye(min(n_in, n_out)), atol=1e-12)
        assert not np.delete(np.asarray(parameters[layer]["w"]), np.s_[:n_in], 0)[:, :n_out].any()


def test_wide_weights_are_orthonormal_in_single_precision():
    """The smallest singular value of a large square matrix is the hardest to bring to 1."""
    normal = np.random.default_rng(0).normal(size=(5, 160, 160)).astype(np.float32)
    w = np.asarray(jax.jit(jax.vmap(lambda w: orthogonalised(w, EXACT)))(normal))
    np.testing.assert_allclose(w.transpose(0, 2, 1) @ w, np.broadcast_to(np.eye(160), w.shape), atol=1e-5)


def test_orthogonal_weights_are_the_same_whatever_the_padding():
    narrow, wide = (
        begun(layout(width=width, inputs=inputs, techniques=ORTHOGONAL), (7, 5), 6, initialisation="orthogonal")[0]
        for width, inputs in ((7, 6), (12, 8))
    )
    for layer, size in enumerate(pairwise((6, 7, 5, 3))):
        np.testing.assert_allclose(of_layer(wide, layer, *size), of_layer(narrow, layer, *size), atol=1e-12)


@pytest.mark.parametrize("width", [7, 12], ids=["no padding", "padding"])
def test_orthogonal_weights_are_drawn_evenly_from_all_such_matrices(width):
    """Haar: an entry's square has a beta distribution, and of a square matrix the trace has mean 0 and variance 1 (Diaconis, 1994)."""
    of, networks = layout(width=width, inputs=8, techniques=ORTHOGONAL), 1500
    numbers = numbers_of((7, 7), initialisation="orthogonal")
    present = jnp.arange(8) < 4
    begin = jax.jit(jax.vmap(lambda seed: initialise(of, numbers._replace(seed=seed), present)[0]))
    first, square, last = (np.asarray(layer["w"]) for layer in begin(jnp.arange(networks, dtype=jnp.uint32)))
    for w, (n_in, n_out) in ((first, (4, 7)), (square, (7, 7)), (last, (7, 3))):
        own, larger = w[:, :n_in, :n_out], max(n_in, n_out)
        assert np.abs(own.mean(0)).max() < 4.5 * np.sqrt(1 / larger / networks)
        assert own.var() == pytest.approx(1 / larger, rel=1e-3)
        for entry in (own[:, 0, 0], own[:, -1, -1], own[:, 0, -1]):
            assert stats.kstest(entry**2, stats.beta(0.5, (larger - 1) / 2).cdf).pvalue > 0.001
    traces = np.trace(square[:, :7, :7], axis1=1, axis2=2)
    assert abs(traces.mean()) < 4 / np.sqrt(networks) and traces.var() == pytest.approx(1, abs=4 * np.sqrt(2 / networks))


LSUV_CASES = [(activation, "none") for activation in TORCH] + [
    ("relu", "batch"),
    ("tanh", "batch"),
    ("relu", "layer"),
    ("sigmoid", "layer"),
]


@pytest.mark.parametrize(("activation", "normalisation"), LSUV_CASES)
def test_lsuv_gives_every_layers_z_the_gains_variance_on_the_sample(activation, normalisation):
    """Layer by layer in PyTorch, with the weights that were found, on the network's own units only."""
    of = layout(activation=activation, normalisation=normalisation, techniques=LSUV)
    sample = np.random.default_rng(4).normal(size=(40, 8)) * [1, 2, 0.1, 5, 1, 1, 0, 0] + 0.5 * (np.arange(8) < 6)
    parameters, _ = begun(of, (7, 5), 6, sample=jnp.asarray(sample), initialisation="lsuv", initialisation_gain=1.5)
    a, units = torch.tensor(sample[:, :6]), (6, 7, 5, 3)
    for layer, size in enumerate(pairwise(units)):
        w = of_layer(parameters, layer, *size)
        z = a @ torch.tensor(w)
        assert float(z.var(correction=0)) == pytest.approx(1.5**2, rel=1e-9)
        products = w.T @ w if size[1] <= size[0] else w @ w.T
        np.testing.assert_allclose(products, products[0, 0] * np.eye(len(products)), atol=1e-10 * products[0, 0])
        if normalisation == "batch":
            z = torch.nn.functional.batch_norm(z, None, None, training=True, eps=EPSILON)
        elif normalisation == "layer":
            z = torch.nn.functional.layer_norm(z, (size[1],), eps=EPSILON)
        a = TORCH[activation]()(z)


def test_a_sample_of_zeros_leaves_lsuv_finite():
    parameters, _ = begun(layout(techniques=LSUV), (7, 5), 6, sample=jnp.zeros((40, 8)), initialisation="lsuv")
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(parameters))


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


def in_torch(parameters, statistics, activation, normalisation, units, inputs):
    """The same network of PyTorch's modules, in its true size."""
    modules, sizes = [], [inputs, *units, 3]
    for layer, (n_in, n_out) in enumerate(pairwise(sizes)):
        own = {name: torch.tensor(np.asarray(leaf)[..., :n_out]) for name, leaf in parameters[layer].items()}
        linear = torch.nn.Linear(n_in, n_out, bias="b" in own, dtype=torch.float64)
        linear.load_state_dict({"weight": own["w"][:n_in].T} | ({"bias": own["b"]} if "b" in own else {}))
        modules.append(linear)
        if layer == len(units):
            break
        if normalisation != "none":
            kind = {"batch": torch.nn.BatchNorm1d, "layer": torch.nn.LayerNorm}[normalisation]
            norm = kind(n_out, eps=EPSILON, dtype=torch.float64)
            seen = {f"running_{short}": torch.tensor(np.asarray(statistics[layer][name])[:n_out])
                    for short, name in (("mean", "mean"), ("var", "variance"))} if normalisation == "batch" else {}  # fmt: skip
            norm.load_state_dict({"weight": own["gamma"], "bias": own["beta"], **seen}, strict=False)
            modules.append(norm)
        modules.append(TORCH[activation]())
    return torch.nn.Sequential(*modules).eval()


OUTPUT_CASES = [(activation, "none") for activation in TORCH] + [
    ("silu", "batch"),
    ("sigmoid", "batch"),
    ("gelu", "layer"),
    ("sigmoid", "layer"),
]


@pytest.mark.parametrize(("activation", "normalisation"), OUTPUT_CASES)
def test_outputs_are_those_of_pytorchs_modules_with_the_same_weights_and_no_padding(activation, normalisation):
    of, generator = layout(activation=activation, normalisation=normalisation), np.random.default_rng(0)
    parameters, statistics = begun(of, (7, 5), 6)
    # Any values where the network's own are not 0, as after training.
    own = [np.arange(12) < units for units in (7, 5)] + [np.ones(3, bool)]
    parameters = tuple(
        {name: leaf if name == "w" else jnp.asarray(generator.normal(size=leaf.shape) * own[layer]) for name, leaf in each.items()}
        for layer, each in enumerate(parameters)
    )
    statistics = jax.tree.map(lambda leaf: jnp.asarray(generator.uniform(0.5, 2, leaf.shape)), statistics)
    if statistics:  # of units that are not there: 0, as their z is
        statistics = tuple({name: jnp.where(own[layer], leaf, 0.0) for name, leaf in each.items()} for layer, each in enumerate(statistics))
    x = generator.normal(size=(16, 6))
    with torch.no_grad():
        expected = in_torch(parameters, statistics, activation, normalisation, (7, 5), 6)(torch.tensor(x))
    ours = outputs(of, parameters, statistics, jnp.asarray(np.pad(x, ((0, 0), (0, 2)))), jnp.array([7, 5]))
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)


def test_the_cases_of_pytorch_name_every_activation():
    assert set(TORCH) == set(get_args(Activation))


def test_no_hidden_layer_is_softmax_regression():
    of = layout(hidden_layers=0)
    parameters, statistics = begun(of, (), 8)
    x = np.random.default_rng(0).normal(size=(16, 8))
    ours = outputs(of, parameters, statistics, jnp.asarray(x), jnp.zeros(0, jnp.int32))
    np.testing.assert_allclose(ours, x @ np.asarray(parameters[0]["w"]), rtol=1e-10)


def test_running_averages_are_pytorchs_with_the_bias_of_the_start_taken_away_and_the_variance_biased(exact):
    """PyTorch's running averages start anywhere and keep the unbiased variance; ours are corrected averages of the biased one."""
    of = layout(hidden_layers=1, activation="relu", normalisation="batch")
    parameters, statistics = begun(of, (12,), 8)
    batches = np.random.default_rng(1).normal(size=(5, 16, 8)) * np.arange(1, 6)[:, None, None]
    w, numbers = np.asarray(parameters[0]["w"]), exact(Recipe((12,)))
    mean, variance = torch.zeros(12, dtype=torch.float64), torch.zeros(12, dtype=torch.float64)
    for x in batches:
        _, statistics, _ = train_outputs(of, parameters, statistics, numbers, jnp.asarray(x), jnp.ones(16), Draws())
        torch.nn.functional.batch_norm(torch.tensor(x @ w), mean, variance, training=True, momentum=1 - BETA, eps=EPSILON)
    correction = 1 - BETA**5
    deviation = np.sqrt(variance.numpy() * 15 / 16 / correction + EPSILON)
    expected = (batches[0] @ w - mean.numpy() / correction) / deviation
    head = parameters[1]
    statistics = corrected_statistics(statistics, numbers, jnp.int32(5))
    ours = outputs(of, parameters, statistics, jnp.asarray(batches[0]), jnp.array([12]))
    np.testing.assert_allclose(ours, np.maximum(expected, 0) @ np.asarray(head["w"]) + np.asarray(head["b"]), rtol=1e-9, atol=1e-12)


def test_padding_rows_count_neither_in_the_batchs_outputs_nor_in_the_running_averages():
    of = layout(hidden_layers=1, normalisation="batch")
    parameters, statistics = begun(of, (12,), 8)
    x = np.random.default_rng(1).normal(size=(16, 8))
    present, numbers = jnp.asarray(np.arange(16) < 9, float), numbers_of((12,))
    results = []
    for padding in (0.0, 1e5):
        padded = np.where(np.arange(16)[:, None] < 9, x, padding)
        z, after, _ = train_outputs(of, parameters, statistics, numbers, jnp.asarray(padded), present, Draws())
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


@pytest.mark.parametrize("hidden_layers", [0, 2])
def test_a_learned_factor_of_an_input_is_that_input_times_it(hidden_layers):
    of = layout(hidden_layers, techniques=("input_scale",))
    parameters, _ = begun(of, (7, 5)[:hidden_layers], 8, input_scale_rate=2.0)
    rng = np.random.default_rng(0)
    x, scale = rng.normal(size=(6, 8)), rng.uniform(-1, 2, size=8)
    units = jnp.array((7, 5)[:hidden_layers], jnp.int32)
    assert (np.asarray(parameters[0]["scale"]) == 1).all()
    scaled = (parameters[0] | {"scale": jnp.asarray(scale)}, *parameters[1:])
    expected = outputs(replace(of, techniques=()), parameters, (), jnp.asarray(x * scale), units)
    np.testing.assert_allclose(outputs(of, scaled, (), jnp.asarray(x), units), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "silu", "sigmoid"])
def test_a_parametric_activation_is_the_activation_at_first_and_with_a_share_of_0_there_is_none(activation):
    plain = layout(2, activation)
    of = replace(plain, techniques=("activation_share",))
    parameters, _ = begun(of, (7, 5), 8, activation_rate=1.0)
    x, units = jnp.asarray(np.random.default_rng(0).normal(size=(6, 8))), jnp.array((7, 5), jnp.int32)
    assert [layer["share"].sum() for layer in parameters[:-1]] == [7, 5] and "share" not in parameters[-1]
    np.testing.assert_allclose(outputs(of, parameters, (), x, units), outputs(plain, parameters, (), x, units))
    straight = tuple(layer | {name: jnp.zeros_like(value) for name, value in layer.items() if name == "share"} for layer in parameters)
    linear = replace(plain, shape=replace(plain.shape, activation="identity"))
    np.testing.assert_allclose(outputs(of, straight, (), x, units), outputs(linear, parameters, (), x, units), atol=1e-12)


def test_the_gain_of_the_output_layer_is_its_own():
    plain, smaller = (begun(layout(), (7, 5), 8, output_gain=gain)[0] for gain in (1.0, 0.25))
    for one, other in zip(plain[:-1], smaller[:-1], strict=True):
        np.testing.assert_array_equal(one["w"], other["w"])
    np.testing.assert_allclose(smaller[-1]["w"], 0.25 * np.asarray(plain[-1]["w"]), rtol=1e-12)


@pytest.mark.parametrize("units", [(7, 7, 5, 5), (7, 5, 7, 5)])
def test_hidden_layers_as_wide_as_the_one_before_them_add_to_what_they_see(units):
    plain = layout(4, "tanh")
    of = replace(plain, shape=replace(plain.shape, residual=True))
    parameters, _ = begun(of, units, 8)
    x = np.random.default_rng(0).normal(size=(6, 8))
    a = x
    for number, layer in enumerate(parameters[:-1]):
        past, a = a, np.tanh(a @ np.asarray(layer["w"]) + np.asarray(layer["b"]))
        a = a + past if number and units[number] == units[number - 1] else a
    expected = a @ np.asarray(parameters[-1]["w"]) + np.asarray(parameters[-1]["b"])
    np.testing.assert_allclose(outputs(of, parameters, (), jnp.asarray(x), jnp.array(units)), expected, rtol=1e-10)
    numbers = numbers_of(units)
    in_training, *_ = train_outputs(of, parameters, (), numbers, jnp.asarray(x), jnp.ones(6), Draws())
    np.testing.assert_allclose(in_training, expected, rtol=1e-10)
