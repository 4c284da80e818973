"""Signals through the layers: measured a second time with PyTorch's autograd, in closed form, and on weights made by hand."""

import functools
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest
import torch
from torch.nn import functional

from shoal import data, noise, training
from shoal.measurements import Signals
from shoal.nets import layers
from shoal.nets.network import Draws, Layout, draw
from shoal.population import PROBED_ROWS, Shoal, Tables, take
from shoal.probes import Probe, probe, signals
from shoal.recipe import Activation, Recipe, techniques_of
from shoal.trainer import Network, Trainer
from shoal.training import Batch, Scale, State

ROWS, BATCH, INPUTS, COLUMNS, UNITS, WIDTH, CLASSES = 11, 14, 6, 8, (5, 3), 9, 3
RNG = np.random.default_rng(4)
X, TARGET, WEIGHT = RNG.normal(size=(ROWS, INPUTS)), RNG.integers(0, CLASSES, ROWS), RNG.uniform(0.5, 2, ROWS)
SCALE = Scale(np.float64(ROWS), np.float64(1), np.arange(COLUMNS) < INPUTS, np.ones(CLASSES), np.float64(0))
QUICKLY = {"xla_backend_optimization_level": "0", "xla_llvm_disable_expensive_passes": True}
STEPS = 4


def layout_of(recipe: Recipe, width: int = WIDTH, columns: int = COLUMNS) -> Layout:
    return Layout(recipe.shape, width, columns, 0, CLASSES, "softmax", recipe.techniques)


def padded_batch() -> Batch:
    """The rows, and three of weight 0 whose numbers must not matter."""
    more = BATCH - ROWS
    x = np.concatenate([np.pad(X, ((0, 0), (0, COLUMNS - INPUTS))), np.full((more, COLUMNS), 50.0)])
    return jax.tree.map(jnp.asarray, Batch(x, np.pad(TARGET, (0, more)), np.pad(WEIGHT, (0, more))))


@functools.partial(jax.jit, static_argnums=0, compiler_options=QUICKLY)
def probed(layout: Layout, state: State, numbers, batch: Batch, draws: Draws) -> Probe:
    return probe(layout, state, numbers, jax.tree.map(jnp.asarray, SCALE), batch, draws)


@functools.partial(jax.jit, static_argnums=0, compiler_options=QUICKLY)
def trained(layout: Layout, numbers, batch: Batch, draws: Draws) -> tuple[State, State]:
    """The states before and after the fifth step."""
    scale = jax.tree.map(jnp.asarray, SCALE)

    def one_more(_: Any, states: tuple[State, State]) -> tuple[State, State]:
        return states[1], training.step(layout, states[1], numbers, scale, batch, draws)[0]

    state = training.start(layout, numbers, scale, dtype=jnp.float64)
    return jax.lax.fori_loop(0, STEPS + 1, one_more, (state, state))


# -- PyTorch's -------------------------------------------------------------------------------------------------------------------------
ACTIVATIONS_IN_TORCH: dict[str, Any] = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "identity": lambda z: z}
STEEPEST = {"tanh": 1.0, "sigmoid": 0.25, "relu": 1.0, "leaky_relu": 1.0}


def measured_in_torch(recipe: Recipe, state: State, draws: Draws) -> dict[str, Any]:
    """The same quantities of the network in its true size, one example after the other where examples count."""
    sizes = (INPUTS, *UNITS, CLASSES)
    own = [
        {
            name: torch.tensor(np.asarray(leaf)[tuple(map(slice, sizes[n : n + 2] if name == "w" else sizes[n + 1 : n + 2]))])
            for name, leaf in each.items()
        }
        for n, each in enumerate(state.parameters)
    ]
    for layer in own:
        layer["w"].requires_grad_(True)
    activation = ACTIVATIONS_IN_TORCH.get(recipe.activation) or getattr(functional, recipe.activation)
    a, pre, post = torch.tensor(X), [], []
    for number, layer in enumerate(own):
        z = a @ layer["w"]
        if "b" in layer:
            z = z + layer["b"]
        if number < len(UNITS) and recipe.normalisation == "batch":
            z = functional.batch_norm(z, None, None, layer["gamma"], layer["beta"], training=True, eps=layers.NORMALISATION_EPSILON)
        if number < len(UNITS) and recipe.normalisation == "layer":
            z = functional.layer_norm(z, (z.shape[1],), layer["gamma"], layer["beta"], layers.NORMALISATION_EPSILON)
        z.retain_grad()
        pre.append(z)
        if number == len(UNITS):
            break
        a = activation(z)
        post.append(a)
        if recipe.keep_prob != 1:
            kept = np.asarray(noise.keep(draws.hidden[number], jnp.asarray(recipe.keep_prob)))[: len(a), : a.shape[1]]
            a = a * torch.tensor(kept) / recipe.keep_prob
    weight = torch.tensor(WEIGHT)
    loss = (functional.cross_entropy(pre[-1], torch.tensor(TARGET), reduction="none") * weight).sum() / weight.sum()
    weights = [layer["w"] for layer in own]
    (loss + recipe.l2 / (2 * ROWS) * sum((w**2).sum() for w in weights)).backward()
    slopes = [torch.func.vmap(torch.func.vmap(torch.func.grad(activation)))(z.detach()).abs() for z in pre[:-1]]

    def backward(z: torch.Tensor) -> float:
        assert z.grad is not None
        return float((ROWS * z.grad).norm(dim=1).square().mean().sqrt())

    def twins(layer) -> float:
        incoming = torch.cat([layer["w"], layer.get("b", layer.get("beta"))[None]]).T
        squared = torch.cdist(incoming, incoming) ** 2 + torch.diag(torch.full((len(incoming),), torch.inf))
        length = (incoming**2).sum(dim=1)
        return float((squared <= 1e-5 * (length[:, None] + length)).any(dim=1).double().mean())

    with torch.no_grad():
        return {
            "loss": float(loss),
            "activation": [float(a.square().mean().sqrt()) for a in (*post, pre[-1])],
            "backward": [backward(z) for z in pre],
            "gradient": [float(w.grad.norm()) for w in weights if w.grad is not None],
            "weight": [float(w.norm()) for w in weights],
            "dead": [float((s.max(dim=0).values < 1e-3 * STEEPEST[recipe.activation]).double().mean()) for s in slopes] + [0.0],
            "saturated": [float((s < 0.05 * STEEPEST[recipe.activation]).double().mean()) for s in slopes] + [0.0],
            "alike": [twins(layer) for layer in own],
        }


CASES: dict[str, dict[str, Any]] = {
    "relu": {"activation": "relu"},
    "tanh, L2, momentum, clipping": {"activation": "tanh", "l2": 3.0, "optimiser": "momentum", "clip_norm": 0.3, "learning_rate": 0.5},
    "sigmoid, decay": {"activation": "sigmoid", "initialisation_gain": 6.0, "weight_decay": 0.3},
    "leaky relu, batch norm, max-norm": {"activation": "leaky_relu", "normalisation": "batch", "max_norm": 0.8},
    "tanh, layer norm, dropout": {"activation": "tanh", "normalisation": "layer", "keep_prob": 0.7, "initialisation_gain": 3.0},
    "relu, zeros": {"activation": "relu", "initialisation": "zeros"},
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("case", CASES)
def test_a_probe_measures_what_pytorch_measures_on_the_same_network_without_its_padding(case, exact):
    recipe = Recipe(**({"hidden_units": UNITS, "batch_size": BATCH, "learning_rate": 0.02, "decay": "constant"} | CASES[case]))
    numbers, layout = exact(recipe, 3), layout_of(recipe)
    draws = draw(layout, jnp.uint32(7), jnp.int32(1), jnp.float64)
    state, after = trained(layout, numbers, padded_batch(), draws)
    ours = probed(layout, state, numbers, padded_batch(), draws)
    for name, expected in measured_in_torch(recipe, state, draws).items():
        np.testing.assert_allclose(getattr(ours, name), expected, rtol=1e-9, atol=1e-12, err_msg=name)
    before, now = ([np.asarray(layer["w"]) for layer in each.parameters] for each in (state, after))
    moved = [np.linalg.norm(new - old) / max(np.linalg.norm(old), 1e-12) for new, old in zip(now, before, strict=True)]
    np.testing.assert_allclose(ours.update, moved, rtol=1e-9, err_msg="the update is that of the step that follows")


# -- in closed form --------------------------------------------------------------------------------------------------------------------
@functools.partial(jax.jit, static_argnums=0, compiler_options=QUICKLY)
def probed_with(layout: Layout, parameters, numbers, scale: Scale, batch: Batch) -> Probe:
    state = training.start(layout, numbers, scale)
    made = jax.tree.map(lambda leaf, new: new.astype(leaf.dtype), state.parameters, parameters)
    return probe(layout, state._replace(parameters=made), numbers, scale, batch, Draws())


def by_hand(layout: Layout, recipe: Recipe, parameters, x, weight: Any = 1.0) -> Probe:
    """A probe of weights that a test has written down."""
    whole = np.ones(layout.columns, bool)
    scale = Scale(np.float32(len(x)), np.float32(1), whole, np.ones(layout.outputs, np.float32), np.float32(0))
    made = tuple({name: np.asarray(value, np.float32) for name, value in layer.items()} for layer in parameters)
    batch = Batch(np.asarray(x, np.float32), np.zeros(len(x), np.int32), np.full(len(x), weight, np.float32))
    return jax.tree.map(np.asarray, probed_with(layout, made, recipe.numbers(0), scale, batch))


@pytest.mark.parametrize("c", [0.5, 1.0, 2.0])
def test_along_a_chain_of_layers_c_times_identity_signals_change_by_c_at_each(c):
    """The course's example: with ``W = c I`` the output is ``c^(L-1) W[L] x``."""
    n, depth = 4, 7
    recipe = Recipe((n,) * depth, activation="identity")
    layout = Layout(recipe.shape, n, n, 0, n, "softmax", recipe.techniques)
    chain = [{"w": c * np.eye(n), "b": np.zeros(n)}] * depth + [{"w": np.eye(n), "b": np.zeros(n)}]
    found = by_hand(layout, recipe, tuple(chain), np.eye(n))
    powers = np.arange(1, depth + 1)
    np.testing.assert_allclose(found.activation[:-1], c**powers / np.sqrt(n), rtol=1e-5)
    np.testing.assert_allclose(found.backward[:-1] / found.backward[-1], c ** (depth - powers), rtol=1e-5)
    np.testing.assert_allclose(found.weight[:-1], c * np.sqrt(n), rtol=1e-6)


def layer_of(incoming, outgoing, activation: Activation = "relu", units=None, width=None):
    """A probe of one hidden layer with the given weights and biases into it, ``[inputs + 1, units]``."""
    inputs, has = np.shape(incoming)[0] - 1, np.shape(incoming)[1]
    width = width or has
    recipe = Recipe((units or has,), activation=activation)
    layout = Layout(recipe.shape, width, inputs, 0, 2, "softmax", recipe.techniques)
    padded = np.pad(np.asarray(incoming, float), ((0, 0), (0, width - has)))
    out = np.zeros((width, 2))
    out[:has] = outgoing
    return by_hand(layout, recipe, ({"w": padded[:-1], "b": padded[-1]}, {"w": out, "b": np.zeros(2)}), np.eye(inputs))


def test_relu_units_that_no_row_switches_on_are_dead():
    found = layer_of([[1, 1, -1, 1], [1, -1, -1, 1], [0, 0, 0, -9]], 1.0)
    assert found.dead.tolist() == [0.5, 0.0]


def test_a_unit_that_only_rows_of_weight_0_switch_on_is_dead():
    recipe = Recipe((1,), activation="relu")
    layout = Layout(recipe.shape, 1, 2, 0, 2, "softmax", recipe.techniques)
    made = ({"w": [[-1.0], [1.0]], "b": [0.0]}, {"w": [[1.0, 0.0]], "b": [0.0, 0.0]})
    assert [by_hand(layout, recipe, made, np.eye(2), [1.0, of_second]).dead[0] for of_second in (1.0, 0.0)] == [0.0, 1.0]


def test_padding_is_not_dead_nor_alike_and_does_not_thin_the_signals():
    alone, padded = (layer_of([[1, -1], [2, -1], [0, 0]], 1.0, width=width) for width in (2, 8))
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-6), alone, padded)


def test_tanh_units_are_saturated_on_the_rows_where_the_slope_is_below_a_twentieth():
    """``1 - tanh(z)^2 = 0.05`` at ``z = artanh(sqrt(0.95)) = 2.18``."""
    found = layer_of([[2.17, 2.19], [-2.19, 0.0], [0, 0]], 1.0, activation="tanh")
    assert found.saturated.tolist() == [0.5, 0.0]


@pytest.mark.parametrize(
    ("incoming", "share"),
    [
        ([[1, 1, 2], [3, 3, 6], [0, 0, 0]], 2 / 3),  # two times another's weights is not another's weights
        ([[1, 1, 2], [3, 3, 6], [0, 0.1, 0]], 0.0),  # nor is another bias
        ([[1, 1.0001, 2], [3, 3, 6], [0, 0, 0]], 2 / 3),  # within rounding
        ([[1, 1.02, 2], [3, 3, 6], [0, 0, 0]], 0.0),
        ([[0, 0, 0], [0, 0, 0], [0, 0, 0]], 1.0),
    ],
)
def test_units_are_alike_where_weights_and_bias_are_those_of_another(incoming, share):
    assert layer_of(incoming, 1.0).alike[0] == pytest.approx(share)


# -- in a shoal ------------------------------------------------------------------------------------------------------------------------
BASE = Recipe((8, 8, 8), batch_size=32, epochs=4.0, learning_rate=0.01, activation="relu")
SHOAL = [BASE, replace(BASE, hidden_units=(5, 4, 3), keep_prob=0.7, learning_rate=0.03), replace(BASE, initialisation="zeros")]


@pytest.fixture(scope="module")
def tables() -> Tables:
    rng = np.random.default_rng(0)
    parts = []
    for rows in (300, 100):
        x = rng.normal(size=(rows, INPUTS)).astype(np.float32)
        parts.append(Batch(x, (x @ np.arange(INPUTS) > 0).astype(np.int32) + (x[:, 0] > 1), np.ones(rows, np.float32)))
    return Tables.load(*parts)


@pytest.fixture(scope="module")
def shoal(tables) -> Shoal:
    return Shoal(Layout(BASE.shape, 8, 8, 0, CLASSES, "softmax", techniques_of(SHOAL)), 4, tables, seed=5)


def test_probing_changes_nothing_in_the_training_and_compiles_once(shoal):
    numbers = shoal.numbers(SHOAL, [1, 2, 3])
    ends, compiled = [], len(shoal._programs.probe)
    for is_probed in (False, True):
        state = shoal.start(numbers)
        for first in (0, 10, 20):
            if is_probed:
                shoal.probe(state, numbers, first)
            state, trace = shoal.advance(state, numbers, first, 10, 1)
        ends.append((take(state, range(3)), trace))
    jax.tree.map(np.testing.assert_array_equal, *ends)
    assert len(shoal._programs.probe) == max(compiled, 1)


def test_a_shoals_probe_is_that_of_each_network_on_rows_of_the_training_part(shoal, tables):
    numbers = shoal.numbers(SHOAL, [1, 2, 3])
    state, _ = shoal.advance(shoal.start(numbers), numbers, 0, 10, 1)
    found = shoal.probe(state, numbers, 10)
    chosen = np.linspace(0, 299, PROBED_ROWS).astype(int)
    for slot, recipe in enumerate(SHOAL):
        if recipe.keep_prob != 1:
            continue
        parameters = jax.tree.map(lambda leaf, slot=slot: np.asarray(leaf)[slot], state.parameters)
        a, held = np.asarray(tables.train.x)[chosen], []
        for layer in parameters[:-1]:
            a = np.maximum(a @ layer["w"] + layer["b"], 0)
            held.append(np.sqrt(np.mean(np.square(a))))
        z = torch.tensor(a @ parameters[-1]["w"] + parameters[-1]["b"])
        loss = functional.cross_entropy(z, torch.tensor(np.asarray(tables.train.target)[chosen], dtype=torch.long))
        np.testing.assert_allclose(found.activation[slot][:-1], held, rtol=1e-4)
        np.testing.assert_allclose(found.loss[slot], float(loss), rtol=1e-4)


def test_units_that_start_alike_stay_alike_and_others_do_not_become_so(shoal):
    numbers = shoal.numbers(SHOAL, [1, 2, 3])
    state, _ = shoal.advance(shoal.start(numbers), numbers, 0, 10, 3)
    assert shoal.probe(state, numbers, 30).alike[:3, :3].tolist() == [[0.0] * 3, [0.0] * 3, [1.0] * 3]


def test_records_join_the_moments_of_each_slot_and_survive_json_with_none_for_what_is_not_finite():
    layers_of = {name: np.arange(6.0).reshape(2, 3) for name in Probe._fields if name != "loss"}
    first, second = (Probe(loss=np.array([1.0, value]), **layers_of) for value in (2.0, np.nan))
    second = second._replace(backward=np.full((2, 3), np.inf))
    (record,) = signals([0, 10], [first, second], [1])
    assert record.steps == (0, 10) and record.loss == (2.0, None)
    assert record.activation == ((3.0, 4.0, 5.0),) * 2
    assert record.backward == ((3.0, 4.0, 5.0), (None,) * 3)
    assert msgspec.json.decode(msgspec.json.encode(record), type=Signals) == record


def test_a_probed_training_is_the_same_training_and_leaves_a_record_of_its_moments():
    trainer = Trainer(data.load("example:wine"), 0)
    recipe = Recipe((8, 8), epochs=20.0)
    plain, watched = ([Network(i, i, recipe) for i in range(2)] for _ in range(2))
    trainer.train("plain", plain)
    trainer.train("watched", watched, probed=True)
    assert [network.score for network in plain] == [network.score for network in watched]
    assert plain[0].signals is None
    for network in watched:
        record = network.signals
        assert record is not None and record.steps[0] == 0 and 6 <= len(record.steps) <= 10
        assert all(len(series) == len(record.steps) for series in (record.loss, record.update, record.dead))
        assert len(record.backward[0]) == 3
        first, last = record.loss[0], record.loss[-1]
        assert first is not None and last is not None and last < first
