"""Gradient checking: closed forms for the relative error, deliberately broken backward passes, kinks, and what must not be touched."""

import copy
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy import stats

from shoal import training
from shoal.errors import OptionError
from shoal.gradcheck import check_gradients
from shoal.gradcheck.differences import noise_of_cost
from shoal.gradcheck.point import Point, Subject
from shoal.recipe import Recipe

RNG = np.random.default_rng(4)
X, Y = RNG.normal(size=(20, 4)), RNG.integers(2, size=(20, 1)).astype(float)
L2 = 0.5
NETWORK = {
    "b1": RNG.normal(size=4) / 4,
    "b2": RNG.normal(size=1) / 4,
    "w1": RNG.normal(size=(4, 4)) / 2,
    "w2": RNG.normal(size=(4, 1)) / 2,
}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def cost(p):
    """Cross-entropy of a network with one hidden layer, and its L2 term."""
    z = sigmoid(X @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]
    return float(np.mean(np.logaddexp(0, z) - Y * z) + L2 / 2 * (np.sum(p["w1"] ** 2) + np.sum(p["w2"] ** 2)))


def backward(p, l2=L2, of_sigmoid=lambda z, a: a * (1 - a), mean=1 / len(X)):
    """The backward pass by hand, with the places where one may slip as arguments."""
    z1 = X @ p["w1"] + p["b1"]
    a1 = sigmoid(z1)
    dz2 = (sigmoid(a1 @ p["w2"] + p["b2"]) - Y) * mean
    dz1 = dz2 @ p["w2"].T * of_sigmoid(z1, a1)
    return {"w2": a1.T @ dz2 + l2 * p["w2"], "b2": dz2.sum(0), "w1": X.T @ dz1 + l2 * p["w1"], "b1": dz1.sum(0)}


def changed(name, change):
    return lambda p: (right := backward(p)) | {name: change(right[name])}


def one_entry(array):
    array = array.copy()
    array[2, 1] += 0.05
    return array


def swapped(array):
    return array[[1, 0, 2, 3]]


SLIPS = {
    "mean forgotten": (lambda p: backward(p, mean=1.0), None, None),
    "a factor too many": (changed("w1", lambda dw: 2 * dw), "w1", r"w1 is 2 times the difference"),
    "1 % too large": (changed("w2", lambda dw: 1.01 * dw), "w2", r"w2 is 1\.01 times the difference"),
    "wrong sign": (changed("w2", lambda dw: -dw), "w2", r"w2 has the wrong sign"),
    "wrong sign of a single number": (changed("b2", lambda db: -db), "b2", r"b2 has the wrong sign"),
    "transposed": (changed("w1", lambda dw: dw.T), "w1", r"w1 is transposed"),
    "L2 forgotten": (lambda p: backward(p, l2=0.0), "w2", r"w2 differs by -0\.5 times the parameter itself: .*L2.* missing"),
    "L2 twice": (lambda p: backward(p, l2=2 * L2), "w2", r"w2 differs by 0\.5 times the parameter itself: .*the cost lacks"),
    "bias forgotten": (changed("b1", np.zeros_like), "b1", r"b1 is 0, though the cost depends on it"),
    "bias not summed right": (changed("b1", lambda db: db + 0.01), "b1", r"b1 differs by 0\.01 everywhere"),
    "derivative of the sigmoid at z, not a": (lambda p: backward(p, of_sigmoid=lambda z, a: z * (1 - z)), "w1", None),
    "derivative of the sigmoid forgotten": (lambda p: backward(p, of_sigmoid=lambda z, a: 1.0), "w1", None),
    "rows swapped": (changed("w1", swapped), "w1", None),
    "one entry only": (changed("w1", one_entry), "w1", None),
}


def test_a_correct_backward_pass_by_hand_passes():
    check = check_gradients(cost, NETWORK, gradient=backward)
    assert (check.verdict, check.ok, check.checked, check.total) == ("correct", True, 25, 25)
    assert check.relative_error < 1e-9 and check.kinks == () and check.causes == ()
    assert list(check.arrays) == ["b1", "b2", "w1", "w2"]
    assert str(check).startswith("Gradient check: correct, relative error ") and "All 25 coordinates were compared." in str(check)


@pytest.mark.parametrize("slip", SLIPS)
def test_a_broken_backward_pass_is_wrong_and_its_array_is_named(slip):
    broken, array, cause = SLIPS[slip]
    check = check_gradients(cost, NETWORK, gradient=broken)
    assert check.verdict == "wrong" and not check.ok
    if array is not None:
        assert check.worst[0].parameter == array and check.arrays[array] > 1e-3
    if cause is not None:
        assert re.search(cause, " ".join(check.causes)), check.causes
    assert str(check.worst[0]) in str(check) and "correct the backward pass" in str(check)


def test_the_entry_that_is_wrong_is_named_with_both_slopes():
    check = check_gradients(cost, NETWORK, gradient=SLIPS["one entry only"][0])
    (entry,) = check.worst
    assert (str(entry), entry.index) == ("w1[2, 1]", (2, 1))
    np.testing.assert_allclose([entry.analytic - entry.numeric, entry.numeric], [0.05, backward(NETWORK)["w1"][2, 1]], rtol=1e-6)


def test_an_array_too_small_to_show_in_the_whole_is_still_seen():
    """The gradient of b is a factor 2 off, and 1e-9 of the whole gradient."""
    point = {"a": np.array([1.0, 2.0]), "b": np.array([1.0, -1.0])}
    check = check_gradients(
        lambda p: 0.5 * np.sum(p["a"] ** 2) + 1e-9 * np.sum(p["b"] ** 2), point, gradient=lambda p: {"a": p["a"], "b": 4e-9 * p["b"]}
    )
    assert check.relative_error < 1e-7
    assert check.verdict == "look again" and "wrong for b" in check.explanation


# With d = (1 + s) dtheta the relative error is s / (2 + s), whatever the cost.
@pytest.mark.parametrize(
    ("share", "verdict", "said"),
    [(1e-8, "correct", "is the slope"), (1e-6, "look again", "Probably correct"), (1e-4, "look again", "Probably a mistake"),
     (0.1, "wrong", "correct the backward pass"), (1.0, "wrong", "correct the backward pass"), (-1.0, "wrong", "is 0"), (-2.0, "wrong", "sign")],
)  # fmt: skip
def test_the_relative_error_and_its_verdict_are_those_of_the_closed_form(share, verdict, said):
    w = np.linspace(-1, 2, 7)
    check = check_gradients(lambda w: np.sum(np.sin(w)), w, gradient=lambda w: (1 + share) * np.cos(w))
    np.testing.assert_allclose(check.relative_error, abs(share) / (1 + abs(1 + share)), rtol=1e-6, atol=1e-9)
    assert check.verdict == verdict and said in str(check).replace("\n  ", " ")


def test_two_gradients_of_0_agree():
    check = check_gradients(lambda w: 3.0, np.ones(3), gradient=np.zeros_like)
    assert (check.relative_error, check.verdict) == (0.0, "correct")


SMOOTH = {
    "sines": (lambda w: jnp.sum(jnp.sin(w)), RNG.normal(size=9)),
    "a quadratic": (lambda w: jnp.sum(jnp.arange(1, 10.0) * w**2), RNG.normal(size=9)),
    "large values": (lambda w: jnp.sum(jnp.exp(w)), np.linspace(0, 30, 9)),
    "large parameters": (lambda w: jnp.sum(jnp.sin(w / 1e6)), 1e6 * RNG.normal(size=9)),
    "tiny parameters": (lambda w: jnp.sum(jnp.sin(w * 1e6)), 1e-6 * RNG.normal(size=9)),
    "a tiny cost": (lambda w: 1e-12 * jnp.sum(jnp.sin(w)), RNG.normal(size=9)),
    "near the end of its domain": (lambda w: jnp.sum(jnp.log(w)), np.logspace(-8, 3, 9)),
    "strong curvature": (lambda w: jnp.sum(jnp.sin(1e4 * w)), RNG.normal(size=9)),
    "a large constant": (lambda w: 1e4 + jnp.sum(jnp.sin(w)), RNG.normal(size=9)),
    "near its minimum": (lambda w: 1 + jnp.sum(jnp.square(w - 1)), 1 + 1e-4 * RNG.normal(size=9)),
    "at its minimum": (lambda w: 5 + jnp.sum(jnp.square(w - 1)), np.ones(9)),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_functions_of_every_scale_pass(name):
    check = check_gradients(*SMOOTH[name])
    assert check.ok and check.kinks == (), str(check)


@pytest.mark.parametrize("name", SMOOTH.keys() - {"at its minimum"})
def test_a_gradient_1_percent_off_fails_at_every_scale(name):
    function, point = SMOOTH[name]
    check = check_gradients(function, point, gradient=lambda w: 1.01 * jax.grad(function)(w))
    assert check.verdict == "wrong"
    np.testing.assert_allclose(check.relative_error, 0.01 / 2.01, rtol=1e-3)


def test_a_cost_with_a_huge_constant_does_not_fail_falsely_and_says_why():
    """1e8 leaves the sines eight digits, and the differences about five."""
    w = np.linspace(0, 3, 10)
    check = check_gradients(lambda w: 1e8 + np.sum(np.sin(w)), w, gradient=np.cos)
    assert check.verdict == "look again" and "round-off" in check.explanation
    assert 1e-7 < check.round_off < 1e-4 and check.relative_error < 4 * check.round_off
    assert check_gradients(lambda w: 1e8 + np.sum(np.sin(w)), w, gradient=lambda w: 1.01 * np.cos(w)).verdict == "wrong"


@pytest.mark.parametrize("grain", [1e-13, 1e-10, 1e-7])
def test_the_noise_of_a_cost_is_measured(grain):
    """Rounded to multiples of a grain, a cost has the standard deviation of a uniform distribution: grain / sqrt(12)."""
    point = Point(("w",), ((6,),), np.linspace(0.2, 2, 6))

    def costs(points):
        return np.round(np.sum(np.sin(points), axis=1) / grain) * grain

    subject = Subject(point, float(costs(point.values[None])[0]), np.cos(point.values), costs, chunk=50)
    noise = noise_of_cost(subject, np.arange(6), 1e-5, np.random.default_rng(0))
    assert 0.4 < noise / (grain / np.sqrt(12)) < 2.5


def test_a_part_of_the_cost_in_single_precision_is_blamed_on_round_off():
    check = check_gradients(lambda w: jnp.sum(jnp.sin(w.astype(jnp.float32))) + jnp.sum(w**3), np.linspace(0.1, 1, 5))
    assert check.verdict == "look again" and "double precision" in check.explanation


def rectified(p):
    return float(np.sum(np.maximum(p, 0)) + np.sum(p**2))


@pytest.mark.parametrize("at_0", [0.0, 0.3, 1.0])
def test_any_slope_between_those_of_the_two_sides_is_right_at_a_kink(at_0):
    """One parameter at the kink, one within a step of it on either side, one far away."""
    point = np.array([0.0, 3e-7, -2e-9, 1.5])
    check = check_gradients(rectified, point, gradient=lambda p: np.where(p == 0, at_0, p > 0) + 2 * p)
    assert check.ok, str(check)
    assert [str(kink) for kink in check.kinks] == ["point[0]"] and check.refined == 2
    assert "Warning: the cost has a kink" in str(check) and "2 coordinates needed a smaller step" in str(check)


def test_a_slope_outside_those_of_the_two_sides_is_wrong_at_a_kink():
    check = check_gradients(rectified, np.array([0.0, 1.5]), gradient=lambda p: np.where(p == 0, 1.4, p > 0) + 2 * p)
    assert check.verdict == "wrong" and check.kinks == () and str(check.worst[0]) == "point[0]"


@pytest.mark.parametrize("away", [2e-7, -3e-6, 0.5])
def test_a_kink_excuses_no_mistake_beside_it(away):
    """The wrong slope lies between those of the two sides, but the point is on one of them."""
    check = check_gradients(rectified, np.array([0.0, away]), gradient=lambda p: np.array([0.5, 0.5 + 2 * p[1]]))
    assert check.verdict == "wrong" and str(check.worst[0]) == "point[1]"


@pytest.mark.parametrize("function", [lambda w: jnp.sum(jnp.abs(w)), lambda w: jnp.max(w), lambda w: jnp.sum(jax.nn.relu(w))])
def test_a_point_of_kinks_only_is_no_evidence(function):
    check = check_gradients(function, np.zeros(3))
    assert check.verdict == ("correct" if not check.kinks else "look again")
    assert check.verdict == "look again" or check.relative_error == 0.0


def test_a_jump_is_no_kink():
    """The slope of a straight-through estimator is not that of the rounded cost."""
    check = check_gradients(lambda w: np.sum(np.round(w)) + w[0], np.array([0.5, 0.2]), gradient=lambda w: np.array([2.0, 1.0]))
    assert check.verdict == "wrong" and check.kinks == ()


BIG = {"a": RNG.normal(size=(60, 50)), "b": RNG.normal(size=3), "c": RNG.normal()}


def big_cost(p):
    return 0.5 * np.sum(p["a"] ** 2) + 0.5 * np.sum(p["b"] ** 2) + 0.5 * p["c"] ** 2


def test_a_sample_holds_some_of_every_array_and_states_what_it_leaves_open():
    check = check_gradients(big_cost, BIG, gradient=lambda p: p, samples=100)
    assert (check.ok, check.checked, check.total) == (True, 100, 3004) and list(check.arrays) == ["a", "b", "c"]
    drawn, share = re.search(r"(\d+) of them drawn at random: if ([\d.]+)% of", check.confidence).groups()  # type: ignore[union-attr]
    wrong = round(float(share) / 100 * 3004)
    # SciPy's hypergeometric distribution: the chance that none of the wrong ones is drawn
    assert stats.hypergeom.pmf(0, 3004, wrong, int(drawn)) == pytest.approx(0.05, abs=0.005)
    assert check_gradients(big_cost, BIG, gradient=lambda p: p, samples=100) == check
    assert check_gradients(big_cost, BIG, gradient=lambda p: p, samples=100, seed=1).checked == 100


@pytest.mark.parametrize("name", ["b", "c"])
def test_a_sample_finds_a_small_array_that_is_wrong(name):
    check = check_gradients(big_cost, BIG, gradient=lambda p: p | {name: 0 * p[name]}, samples=10)
    assert check.worst[0].parameter == name and check.verdict == "wrong"


def test_no_limit_compares_every_coordinate():
    assert check_gradients(big_cost, BIG, gradient=lambda p: p, samples=None).checked == 3004


def test_what_the_caller_gave_is_not_changed_even_by_functions_that_change_their_argument():
    point = {"w": np.ones(3, np.float32), "n": np.arange(2), "name": "adam", "list": [np.float64(2.0), (0.5,)]}
    before = copy.deepcopy(point)

    def greedy(p):
        value = float(np.sum(p["w"] ** 2) * p["n"][1] + p["list"][0] * p["list"][1][0])
        assert p["w"].dtype == np.float64 and p["name"] == "adam"
        p["w"][:] = 0
        p["n"][:] = 7
        return value

    def gradient(p):
        slope = {"w": 2 * p["w"], "n": p["n"], "name": "adam", "list": [p["list"][1][0], (p["list"][0],)]}
        p["list"] = None
        return slope

    check = check_gradients(greedy, point, gradient=gradient)
    assert check.ok and check.total == 5 and set(check.arrays) == {"w", "list.0", "list.1.0"}
    assert str(point) == str(before) and point["w"].dtype == np.float32


def test_the_step_can_be_chosen():
    check = check_gradients(lambda w: np.sum(w**3), np.ones(2), gradient=lambda w: 3 * w**2, epsilon=1e-4)
    assert check.epsilon == 1e-4 and check.ok


# JAX


def test_a_jax_function_of_a_pytree_is_checked_in_double_precision():
    """More coordinates than are evaluated together; its data and its point come in float32."""
    data = jnp.asarray(X, jnp.float32)
    point = {"layers": [jnp.asarray(RNG.normal(size=(4, 50)), jnp.float32), RNG.normal(size=50)], "power": 2, "name": "x"}
    check = check_gradients(lambda p: jnp.mean(jnp.tanh(data @ p["layers"][0] + p["layers"][1]) ** p["power"]), point)
    assert check.ok and check.checked == 250 and list(check.arrays) == ["layers.0", "layers.1"]
    assert not jax.config.read("jax_enable_x64") and jnp.ones(1).dtype == jnp.float32


def test_a_broken_custom_derivative_of_jax_is_found():
    @jax.custom_vjp
    def square(x):
        return x**2

    square.defvjp(lambda x: (x**2, x), lambda x, g: (g * x,))
    check = check_gradients(lambda p: jnp.sum(square(p["w"])) + jnp.sum(jnp.cos(p["v"])), {"w": np.ones(3), "v": np.ones(2)})
    assert check.verdict == "wrong" and check.worst[0].parameter == "w" and check.arrays["v"] < 1e-8
    assert check.causes == ("The gradient of w is 0.5 times the difference throughout: a factor is missing or too many.",)


# PyTorch


class Halved(torch.autograd.Function):
    """Tanh with half its derivative."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return torch.tanh(z)

    @staticmethod
    def backward(ctx, slope):  # type: ignore[override]
        (z,) = ctx.saved_tensors
        return slope * (1 - torch.tanh(z) ** 2) / 2


class HalvedTanh(torch.nn.Module):
    def forward(self, z):
        return Halved.apply(z)


INPUTS, CLASSES = torch.from_numpy(X), torch.from_numpy(RNG.integers(3, size=20))


def module(activation, *more):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 5), *more, activation, torch.nn.Linear(5, 3))


def cross_entropy(network):
    return torch.nn.functional.cross_entropy(network(INPUTS), CLASSES)


def test_a_pytorch_module_is_checked_and_left_as_it_was():
    network = module(torch.nn.Tanh(), torch.nn.BatchNorm1d(5))
    network[0].bias.requires_grad_(False)
    network[1].eval()
    network[3].weight.grad = torch.ones(3, 5)
    before, random_before = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    check = check_gradients(network, loss=cross_entropy)
    assert check.ok and list(check.arrays) == ["0.weight", "1.weight", "1.bias", "3.weight", "3.bias"] and check.total == 48
    assert all(torch.equal(before[name], tensor) and before[name].dtype == tensor.dtype for name, tensor in network.state_dict().items())
    assert [layer.training for layer in network] == [True, False, True, True]
    assert torch.equal(network[3].weight.grad, torch.ones(3, 5)) and network[0].weight.grad is None
    assert torch.equal(torch.get_rng_state(), random_before)


def test_batch_norm_in_training_passes_though_it_updates_its_averages():
    assert check_gradients(module(torch.nn.Tanh(), torch.nn.BatchNorm1d(5, momentum=None)).train(), loss=cross_entropy).ok


def test_a_broken_autograd_function_of_pytorch_is_found():
    check = check_gradients(module(HalvedTanh()), loss=cross_entropy)
    assert check.verdict == "wrong" and check.worst[0].parameter == "0.weight"
    assert check.arrays["2.weight"] < 1e-8 and "The gradient of 0.weight is 0.5 times the difference" in " ".join(check.causes)


def test_pytorch_is_not_loaded_for_anything_else(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # an import would now fail
    assert check_gradients(lambda w: np.sum(w**2), np.ones(2), gradient=lambda w: 2 * w).ok


# recipes

SMALL = {"hidden_units": (5, 3), "initialisation": "glorot"}


def test_a_recipes_network_passes_with_every_loss_it_can_have():
    check = check_gradients(Recipe(**SMALL, activation="tanh", l2=0.5))
    assert check.ok, str(check)
    losses = ["softmax", "sigmoid", "multi_label", "squared_error", "huber", "poisson", "quantile"]
    assert list(dict.fromkeys(name.split(":")[0] for name in check.arrays)) == losses
    assert check.total == 2 * 70 + 5 * 62  # 7*5+5 + 5*3+3 + 3*3+3, and 3*1+1 where there is one output


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(**SMALL, activation="relu", normalisation="batch", keep_prob=0.7, input_keep_prob=0.9, l2=1.0, mixup=0.4, loss="softmax"),
        Recipe(**SMALL, activation="gelu", normalisation="layer", input_noise=0.2, label_smoothing=0.1, class_balance=0.5, loss="softmax"),
        Recipe((), l2=1.0, loss="quantile", quantile=0.9, batch_size="all"),
    ],
    ids=lambda recipe: recipe.normalisation,
)
def test_a_recipes_options_are_part_of_the_cost_that_is_checked(recipe):
    check = check_gradients(recipe)
    assert check.ok and check.checked == check.total, str(check)


def test_a_mistake_in_the_products_own_gradient_is_found(monkeypatch):
    penalty = training.penalty
    monkeypatch.setattr(training, "penalty", lambda *known: 2 * penalty(*known))
    check = check_gradients(Recipe((), l2=2.3, loss="softmax"))
    assert check.verdict == "wrong" and check.worst[0].parameter == "layer1.w"
    assert "layer1.w differs by -0.1 times the parameter itself" in check.causes[0]  # lambda / m of 23 rows


# what cannot be checked


def counted(calls=[]):  # noqa: B006, the list is its memory
    calls.append(0)
    return float(len(calls))


def tensor_of_the_closure(network, other=module(torch.nn.Tanh())):  # noqa: B008
    return cross_entropy(other.double())


W = np.ones(3)
UNUSABLE = {
    "an array": (lambda: check_gradients(lambda w: w**2, W, gradient=lambda w: 2 * w), ["array of shape (3,)", "sum or its mean"]),
    "an array of JAX": (lambda: check_gradients(lambda w: w**2, W), ["array of shape (3,)"]),
    "more than the cost": (lambda: check_gradients(lambda w: (w.sum(), 1), W), ["received a tuple"]),
    "an infinite cost": (lambda: check_gradients(lambda w: w.sum() / 0, W), ["finite at the point", "inf"]),
    "infinity beside the point": (
        lambda: check_gradients(lambda w: jnp.sum(jnp.where(w == 1, w, jnp.inf)), W), ["NaN or infinity on one side of point[0]"]),
    "an infinite gradient": (lambda: check_gradients(lambda w: jnp.sum(jnp.sqrt(w - 1)), W), ["gradient is finite", "for point"]),
    "single precision": (lambda: check_gradients(lambda w: jnp.sum(w).astype(jnp.float32), W), ["received float32"]),
    "single precision in disguise": (
        lambda: check_gradients(lambda w: float(np.float32(w @ w)), W, gradient=lambda w: 2 * w), ["all single-precision numbers"]),
    "an if": (lambda: check_gradients(lambda w: w.sum() if w[0] > 0 else -w.sum(), W), ["traced by JAX", "TracerBoolConversionError"]),
    "NumPy without a gradient": (lambda: check_gradients(lambda w: np.sin(w).sum(), W), ["traced by JAX", "gradient="]),
    "noise": (lambda: check_gradients(lambda w: counted(), W, gradient=lambda w: w), ["same in every evaluation", "dropout"]),
    "noise of NumPy in JAX": (lambda: check_gradients(lambda w: w.sum() * counted(), W), ["same in every evaluation"]),
    "dropout of PyTorch": (
        lambda: check_gradients(module(torch.nn.Dropout()), loss=cross_entropy), ["same in every evaluation", "Switch dropout"]),
    "float32 data for a module": (
        lambda: check_gradients(module(torch.nn.Tanh()), loss=lambda m: m(INPUTS.float()).sum()), ["float64", "x.to("]),
    "another module": (lambda: check_gradients(module(torch.nn.Tanh()), loss=tensor_of_the_closure), ["the module it is given"]),
    "a number for a tensor": (lambda: check_gradients(module(torch.nn.Tanh()), loss=lambda m: 1.0), ["scalar tensor", "a float"]),
    "a module without parameters": (lambda: check_gradients(torch.nn.Tanh(), loss=cross_entropy), ["parameters to train"]),
    "a lazy module": (lambda: check_gradients(torch.nn.LazyLinear(2), loss=cross_entropy), ["have their shapes", "weight"]),
    "whole numbers": (lambda: check_gradients(lambda w: w.sum(), {"w": np.arange(3)}), ["w: int64"]),
    "several faults of a point": (
        lambda: check_gradients(lambda w: w, {"a": np.ones(2) * 1j, "b": np.array([np.nan])}, samples=0, epsilon=2.0, seed=-1),
        ["5 problems", "complex numbers in a", "NaN or infinity in b", "samples is", "epsilon is", "seed is"]),
    "a gradient of another structure": (
        lambda: check_gradients(
            lambda p: p["a"].sum(), {"a": W, "b": W, "c": W, "d": W}, gradient=lambda p: {"a": np.ones((3, 1)), "c": W * np.nan, "d": W * 1j, "e": W}),
        ["5 problems", "(3, 1)", "no entry for b", "NaN or infinity for c", "real numbers; received something else for d", "lacks: e"]),
    "options that do not fit a module": (
        lambda: check_gradients(module(torch.nn.Tanh()), W, gradient=lambda w: w), ["3 problems", "loss=", "without point=", "without gradient="]),
    "options that do not fit a function": (
        lambda: check_gradients(lambda w: w, gradient=3, loss=lambda m: m), ["3 problems", "with point=", "gradient is a function", "without loss="]),  # type: ignore[arg-type]
    "options that do not fit a recipe": (lambda: check_gradients(Recipe(), W), ["a recipe is checked without point="]),
    "something else": (lambda: check_gradients("cost", W), ["a function, a torch.nn.Module or a Recipe; received str"]),
}  # fmt: skip


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_cannot_be_checked_says_what_to_do(case):
    check, said = UNUSABLE[case]
    with pytest.raises(OptionError) as error:
        check()
    assert [text for text in said if text not in str(error.value)] == [], str(error.value)
