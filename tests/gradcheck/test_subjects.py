"""What can be checked besides NumPy functions: JAX functions, PyTorch modules and recipes; and what cannot, with what is said then."""

import copy
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from shoal import training
from shoal.errors import OptionError
from shoal.gradcheck import check_gradients
from shoal.recipe import Recipe

RNG = np.random.default_rng(4)
X = RNG.normal(size=(20, 4))


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
    check = check_gradients(network, loss=lambda module: cross_entropy(module) + 0 * torch.rand(1, dtype=torch.float64).sum())
    assert check.ok and list(check.arrays) == ["0.weight", "1.weight", "1.bias", "3.weight", "3.bias"] and check.total == 48
    assert all(torch.equal(before[name], tensor) and before[name].dtype == tensor.dtype for name, tensor in network.state_dict().items())
    assert [layer.training for layer in network] == [True, False, True, True]
    assert torch.equal(network[3].weight.grad, torch.ones(3, 5)) and network[0].weight.grad is None
    assert torch.equal(torch.get_rng_state(), random_before)


class Counter(torch.nn.Module):
    """A buffer that every call reads and changes."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, z):
        self.calls += 1
        return z * self.calls


@pytest.mark.parametrize("layer", [torch.nn.BatchNorm1d(5, momentum=None), Counter()])
def test_buffers_are_what_they_were_before_each_evaluation(layer):
    assert check_gradients(module(torch.nn.Tanh(), layer), loss=cross_entropy).ok


def test_a_broken_autograd_function_of_pytorch_is_found():
    check = check_gradients(module(HalvedTanh()), loss=cross_entropy)
    assert check.verdict == "wrong" and check.worst[0].parameter.startswith("0.")
    assert check.arrays["2.weight"] < 1e-8 and "The gradient of 0.weight is 0.5 times the difference" in " ".join(check.causes)


def test_pytorch_is_not_loaded_for_anything_else(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # an import would now fail
    assert check_gradients(lambda w: np.sum(w**2), np.ones(2), gradient=lambda w: 2 * w).ok


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
        Recipe(**SMALL, activation="tanh", numeric_encoding="periodic", frequency_scale=0.5, input_scale_rate=2.0, loss="softmax"),
        Recipe(**SMALL, activation="silu", activation_rate=2.0, loss="softmax"),
    ],
    ids=lambda recipe: f"{recipe.normalisation}, {recipe.numeric_encoding}, {recipe.activation_rate:g}",
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
            lambda p: p["a"].sum(), {"a": W, "b": W, "c": W, "d": W},
            gradient=lambda p: {"a": np.ones((3, 1)), "c": W * np.nan, "d": W * 1j, "e": W}),
        ["5 problems", "(3, 1)", "no entry for b", "NaN or infinity for c", "real numbers; received something else for d", "lacks: e"]),
    "options that do not fit a module": (
        lambda: check_gradients(module(torch.nn.Tanh()), W, gradient=lambda w: w),
        ["3 problems", "loss=", "without point=", "without gradient="]),
    "options that do not fit a function": (
        lambda: check_gradients(lambda w: w, gradient=3, loss=lambda m: m),  # type: ignore[arg-type]
        ["3 problems", "with point=", "gradient is a function", "without loss="]),
    "options that do not fit a recipe": (lambda: check_gradients(Recipe(), W), ["a recipe is checked without point="]),
    "something else": (lambda: check_gradients("cost", W), ["a function, a torch.nn.Module or a Recipe; received str"]),
}  # fmt: skip


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_cannot_be_checked_says_what_to_do(case):
    check, said = UNUSABLE[case]
    with pytest.raises(OptionError) as error:
        check()
    assert [text for text in said if text not in str(error.value)] == [], str(error.value)
