"""The errata: forms of the method that popular texts print wrong, each with a demonstration; the page docs/errata.md is made from it.

python docs/errata.py
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from shoal import averages, devices, noise, optimisers, training
from shoal.data.normalise import Standardiser
from shoal.diagnose import PartPrediction, judge, measure
from shoal.gradcheck import check_gradients
from shoal.metrics import METRICS
from shoal.nets import layers
from shoal.nets.network import Draws, Layout
from shoal.population import Tables
from shoal.recipe import OPTIMISERS, Numbers, Recipe, stack, techniques_of
from shoal.schedules import learning_rate

PAGE = Path(__file__).resolve().with_suffix(".md")

Value = float | str
Figure = tuple[str, Value, Value]
"""What was measured, with the printed form, and with the correct one."""


@dataclass(frozen=True)
class Erratum:
    """One form that is often printed wrong.

    Args:
        section: of the method.
        title: what it is about.
        printed: the form as popular texts print it.
        why: why that is wrong.
        correct: the form that shoal implements.
        demonstrate: measures both forms, the correct one with shoal's own code.
        test: the test in ``tests/test_errata.py`` that holds both to what is said here.
        headings: of the two columns of figures.
    """

    section: str
    title: str
    printed: str
    why: str
    correct: str
    demonstrate: Callable[[], list[Figure]]
    test: str
    headings: tuple[str, str] = ("as printed", "correct")


# Small networks, compiled once and run briefly.
QUICKLY = {"xla_backend_optimization_level": "0", "xla_llvm_disable_expensive_passes": True}


def double(recipe: Recipe, seed: int = 0) -> Numbers:
    """The numbers of a recipe in double precision."""
    return jax.tree.map(lambda value: value.astype(np.float64) if np.issubdtype(value.dtype, np.floating) else value, recipe.numbers(seed))


def descended(recipes: list[Recipe], slope: Callable[[Any, Any], Any], start: Any, steps: int, steps_per_epoch: float = 1.0) -> np.ndarray:
    """Weights ``[recipes, ...]`` after some steps of shoal's update, with ``slope(w, age)`` as the gradient."""
    used = techniques_of(recipes)

    def one(numbers: Numbers) -> Any:
        def step(age: Any, carry: tuple[Any, Any]) -> tuple[Any, Any]:
            alpha = learning_rate(numbers, age, jnp.float64(steps_per_epoch))
            return optimisers.update(carry[0], slope(carry[0], age), carry[1], True, 1.0, alpha, age, numbers, used)

        return jax.lax.fori_loop(0, steps, step, (jnp.asarray(start), optimisers.start(jnp.asarray(start), used)))[0]

    with jax.enable_x64(True):
        return np.asarray(jax.jit(jax.vmap(one), compiler_options=QUICKLY)(stack([double(recipe) for recipe in recipes])))


def trained(recipes: list[Recipe], x: np.ndarray, target: np.ndarray, loss: Any, steps: int, held: str = "") -> tuple[Any, Any, Any, Any]:
    """Networks trained on one batch, network ``i`` from seed ``i``: first loss, first gradient norm, last loss, whether it diverged.

    Args:
        recipes: of one shape and one layout.
        x: ``[rows, inputs]``.
        target: ``[rows]``.
        loss: what is minimised, with one output.
        steps: updates.
        held: the name of parameters that are put back where they started after every step.
    """
    shape = replace(recipes[0].shape, batch_size=len(x))
    layout = Layout(shape, max(recipes[0].hidden_units), x.shape[1], 0, 1, loss, techniques_of(recipes))

    def one(numbers: Numbers) -> tuple[Any, Any, Any, Any]:
        scale = training.Scale(jnp.float64(len(x)), jnp.float64(1), jnp.ones(x.shape[1], bool), jnp.ones(1), jnp.float64(0))
        batch = training.Batch(jnp.asarray(x), jnp.asarray(target), jnp.ones(len(x)))
        begun = training.start(layout, numbers, scale, dtype=jnp.float64)

        def step(state: training.State) -> tuple[training.State, Any, Any]:
            state, loss, norm = training.step(layout, state, numbers, scale, batch, Draws())
            kept = [
                {name: (old if name == held else new)[name] for name in new}
                for new, old in zip(state.parameters, begun.parameters, strict=True)
            ]
            return state._replace(parameters=tuple(kept)), loss, norm

        _, first_loss, first_norm = step(begun)
        state, last_loss = jax.lax.fori_loop(0, steps, lambda _, carry: step(carry[0])[:2], (begun, jnp.float64(0)))
        return first_loss, first_norm, last_loss, state.diverged

    with jax.enable_x64(True):
        numbers = stack([double(recipe, seed) for seed, recipe in enumerate(recipes)])
        return jax.tree.map(np.asarray, jax.jit(jax.vmap(one), compiler_options=QUICKLY)(numbers))


def high_dev_error() -> list[Figure]:
    """Verdicts on 20,000 rows of each part, at an error of 1 % that people reach."""

    def answered(error: float) -> PartPrediction:
        truth = np.zeros(20_000, int)
        answer = (np.arange(20_000) < 20_000 * error).astype(int)
        return PartPrediction(truth, np.eye(2)[answer][None])

    figures: list[Figure] = []
    for train, dev in ((0.15, 0.16), (0.15, 0.30), (0.01, 0.11)):
        verdict = judge(measure({"train": answered(train), "dev": answered(dev)}, METRICS["error"]), 0.01)
        printed = "high variance" if dev > 0.1 else "low variance"
        figures.append((f"train error {100 * train:.0f} %, dev error {100 * dev:.0f} %", printed, verdict.title))
    return figures


def l2_and_decay() -> list[Figure]:
    """Weights of 1 whose gradients only swing about 0, so that nothing but the penalty moves them on average."""
    rate, steps = 0.1, 200
    figures: list[Figure] = []
    for optimiser, swing in (("gradient_descent", 1.0), ("adamw", 0.01), ("adamw", 10.0)):
        recipe = Recipe((), optimiser=optimiser, learning_rate=0.01, decay="constant")  # type: ignore[arg-type]

        def swinging(w: Any, age: Any, swing: float = swing) -> Any:
            return swing * (-1.0) ** age * jnp.array([1.0, -1.0])

        coupled = descended([recipe], lambda w, age, swinging=swinging: swinging(w, age) + rate * w, np.ones(2), steps).mean()
        decoupled = descended([replace(recipe, weight_decay=rate)], swinging, np.ones(2), steps).mean()
        name = "gradient descent" if optimiser == "gradient_descent" else f"Adam, gradients of {swing:g}"
        figures.append((f"{name}: what {steps} steps leave of a weight", coupled, decoupled))
    return figures


def undivided_dropout() -> list[Figure]:
    """The mean of activations of 1 after dropout, over 10,000 draws of 50 units."""
    figures: list[Figure] = []
    for keep_prob in (0.8, 0.3):
        ours = np.asarray(layers.dropout(jnp.ones((10_000, 50)), noise.bits(noise.stream(0), 10_000, 50), jnp.float32(keep_prob)))
        d = ours > 0  # the same units are kept in every form
        figures.append((f"mean of A, keep_prob {keep_prob}, from 1", d.mean(), ours.mean()))
        figures.append((f"the same, divided by 1 - keep_prob, {1 - keep_prob:.1f}", d.mean() / (1 - keep_prob), ours.mean()))
    return figures


def divided_by_variance() -> list[Figure]:
    """Two columns of standard deviation 0.2 and 5, and linear regression on both, by gradient descent at its best learning rate."""
    x = np.random.default_rng(0).normal(size=(500, 2)) * [0.2, 5.0]
    y = x @ [5.0, 0.2]
    standardisers = [Standardiser.fit(column) for column in x.T]
    forms = (x - x.mean(0)) / x.var(0), np.stack([fitted(column) for fitted, column in zip(standardisers, x.T, strict=True)], 1)

    def steps(x: np.ndarray) -> int:
        hessian, slope = x.T @ x / len(x), x.T @ (y - y.mean()) / len(x)
        curvature, w, count = np.linalg.eigvalsh(hessian), np.zeros(2), 0
        while np.linalg.norm(slope - hessian @ w) > 1e-3 * np.linalg.norm(slope):
            w, count = w + 2 / curvature.sum() * (slope - hessian @ w), count + 1
        return count

    printed, ours = forms
    return [
        ("standard deviation afterwards, of the column with 0.2", printed.std(0)[0], ours.std(0)[0]),
        ("standard deviation afterwards, of the column with 5", printed.std(0)[1], ours.std(0)[1]),
        ("steps until the gradient is 1,000 times smaller", steps(printed), steps(ours)),
    ]


def exploding_gradients() -> list[Figure]:
    """Six hidden layers of 16 leaky ReLU units; with initial weights twice as large as He's, and with He's."""
    x = np.linspace(-2, 2, 32)[:, None]
    he = Recipe((16,) * 6, "leaky_relu", optimiser="gradient_descent", learning_rate=0.01, decay="constant")
    measured = trained([replace(he, initialisation_gain=2.0), he], x, np.sin(x[:, 0]), "squared_error", 100)
    first_loss, norm, last_loss = ((float(values[0]), float(values[1])) for values in measured[:3])
    outcome = ["diverged" if each else "went on" for each in measured[3]]
    return [
        ("norm of the first gradient", *norm),
        ("loss at the start", *first_loss),
        ("loss after 100 steps", *last_loss),
        ("training", outcome[0], outcome[1]),
    ]


def step_for_error() -> list[Figure]:
    """``J = sum w^2``, once with a gradient without its factor 2, once with the right one."""
    point = np.linspace(0.5, 2, 5)
    figures: list[Figure] = []
    for name, factor, step in (("a wrong gradient", 1.0, "1e-7"), ("the right gradient", 2.0, "1e-3")):
        found = check_gradients(lambda w: float((w**2).sum()), point, gradient=lambda w, factor=factor: factor * w, epsilon=float(step))
        by_step = "correct" if float(step) <= 1e-7 else "wrong"
        figures.append(
            (f"{name}, step {step}", f"{by_step}, for the step", f"{found.verdict}, relative error {small(found.relative_error)}")
        )
    return figures


def new_weights_for_a_wrong_gradient() -> list[Figure]:
    """A layer ``A = tanh(X W)`` whose backward pass takes ``1 - Z^2`` for the slope of tanh, at five draws of its weights."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))

    def cost(w: np.ndarray) -> float:
        return float(((np.tanh(x @ w) - y) ** 2).sum() / 2)

    def wrong(w: np.ndarray) -> np.ndarray:
        z = x @ w
        return x.T @ ((np.tanh(z) - y) * (1 - z**2))

    def corrected(w: np.ndarray) -> np.ndarray:
        a = np.tanh(x @ w)
        return x.T @ ((a - y) * (1 - a**2))

    draws = [rng.normal(size=(3, 2)) for _ in range(5)]
    errors = [[check_gradients(cost, w, gradient=gradient).relative_error for w in draws] for gradient in (wrong, corrected)]
    passed = [sum(error <= 1e-7 for error in each) for each in errors]
    return [
        ("checks passed, of 5", passed[0], passed[1]),
        ("smallest relative error", small(min(errors[0])), small(min(errors[1]))),
        ("largest relative error", small(max(errors[0])), small(max(errors[1]))),
    ]


def small(relative_error: float) -> str:
    """A relative error; what round-off leaves differs from one machine to the next."""
    return "below 1e-7" if relative_error < 1e-7 else f"{relative_error:.2f}"


def batches_for_batch_size() -> list[Figure]:
    """5,000,000 rows in mini-batches of 1,000; a logistic regression with weights of 0 loses ln 2 on every row."""
    rows, size = 5_000_000, 1000
    recipe = Recipe((), initialisation="zeros", batch_size=size)
    layout = Layout(recipe.shape, 0, 1, 0, 1, "sigmoid", ())
    scale = training.Scale(rows, rows / size, jnp.ones(1, bool), jnp.ones(1), 0.0)
    batch = training.Batch(jnp.ones((size, 1)), jnp.arange(size) % 2, jnp.ones(size))
    state = training.start(layout, recipe.numbers(0), scale)
    ours = float(training.cost(layout, recipe.numbers(0), scale, state.statistics, state.parameters, batch, Draws())[0])
    nothing: Any = None
    steps = Tables(nothing, nothing, rows, 0, 1, nothing, nothing).steps_per_epoch(size)
    return [
        ("steps in an epoch", 1000, steps),
        ("cost of a mini-batch", size * math.log(2) / steps, ours),
    ]


def fed_back() -> list[Figure]:
    """A series of nothing but 10, averaged with beta 0.9."""
    v, printed = 0.0, []
    for t in range(1, 11):
        v = (0.9 * v + 0.1 * 10.0) / (1 - 0.9**t)
        printed.append(v)
    ours = averages.of([10.0] * 10, 0.9)
    return [(f"average after {t} value{'s' if t > 1 else ''}", printed[t - 1], ours[t - 1]) for t in (1, 2, 3, 10)]


CURVATURE = np.array([1.0, 25.0])
"""Of an elongated bowl, ``J = (w_1^2 + 25 w_2^2) / 2``."""


def bowl(w: np.ndarray) -> float:
    """The cost of weights ``[2]``."""
    return float((CURVATURE * w**2).sum() / 2)


def rootless_rmsprop() -> list[Figure]:
    """Descent into the bowl from (1, 1), a small gradient's first step, and a weight that no example ever touches."""

    def printed(w: np.ndarray, slope: Callable[[np.ndarray], np.ndarray], steps: int) -> np.ndarray:
        s = np.zeros_like(w)
        for _ in range(steps):
            s = 0.9 * s + 0.1 * slope(w) ** 2
            with np.errstate(invalid="ignore", divide="ignore"):
                w = w - 0.01 * slope(w) / s
        return w

    recipe = Recipe((), optimiser="rmsprop", learning_rate=0.01, beta2=0.9, decay="constant")
    start = np.ones(2)
    ours = descended([recipe], lambda w, age: jnp.asarray(CURVATURE) * w, start, 500)[0]
    first = descended([recipe], lambda w, age: 0.001 * jnp.ones(2), start, 1)[0]
    untouched = descended([recipe], lambda w, age: 0 * w, start, 500)[0]
    return [
        ("cost after 500 steps on an elongated bowl, from 13", bowl(printed(start, lambda w: CURVATURE * w, 500)), bowl(ours)),
        ("length of the first step with alpha 0.01, gradient 0.001", 1 - printed(start, lambda w: 0.001 * np.ones(2), 1)[0], 1 - first[0]),
        ("a weight of 1 whose gradient is 0", printed(start, np.zeros_like, 500)[0], untouched[0]),
    ]


ADAM = Recipe((), optimiser="adam", learning_rate=0.01, decay="constant")


def printed_adam(
    slope: Callable[[np.ndarray], np.ndarray], steps: int, quotient: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Weights that start at 1, after Adam with some quotient of its two corrected averages."""
    w, v, s = np.ones(2), np.zeros(2), np.zeros(2)
    power1 = power2 = 1.0  # products, for a library's power may differ in its last digit, and this descent is chaotic
    for _ in range(steps):
        power1, power2 = 0.9 * power1, 0.999 * power2
        v, s = 0.9 * v + 0.1 * slope(w), 0.999 * s + 0.001 * slope(w) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            w = w - 0.01 * quotient(v / (1 - power1), s / (1 - power2))
    return w


def rootless_adam() -> list[Figure]:
    """Descent into the bowl from (1, 1), and a first step whose length should be alpha, 0.01."""

    def rootless(v: np.ndarray, s: np.ndarray) -> np.ndarray:
        return v / s + 1e-8

    ours = descended([ADAM], lambda w, age: jnp.asarray(CURVATURE) * w, np.ones(2), 2000)[0]
    figures: list[Figure] = [
        ("cost after 2,000 steps on an elongated bowl, from 13", bowl(printed_adam(lambda w: CURVATURE * w, 2000, rootless)), bowl(ours))
    ]
    for size in (0.001, 100.0):
        first = descended([ADAM], lambda w, age, size=size: size * jnp.ones(2), np.ones(2), 1)[0]
        printed = printed_adam(lambda w, size=size: size * np.ones(2), 1, rootless)
        figures.append((f"length of the first step with alpha 0.01, gradient {size:g}", 1 - printed[0], 1 - first[0]))
    return figures


def epsilon_added_to_the_quotient() -> list[Figure]:
    """100 steps with alpha 0.01 on two weights: of one the gradient is 0, of the other it is what round-off leaves of 0."""

    def outside(v: np.ndarray, s: np.ndarray) -> np.ndarray:
        return v / np.sqrt(s) + 1e-8

    gradient = np.array([0.0, 1e-12])
    printed = printed_adam(lambda w: gradient, 100, outside)
    ours = descended([ADAM], lambda w, age: jnp.asarray(gradient), np.ones(2), 100)[0]
    return [(f"how far a weight with gradient {size:g} moved", 1 - printed[i], 1 - ours[i]) for i, size in enumerate(gradient)]


def global_minimum() -> list[Figure]:
    """Every optimiser on the bowl; Adam on "exclusive or" with two tanh units, whose cost can be 0, from 20 seeds."""
    names = [name for name, blocks in OPTIMISERS.items() if not blocks.orthogonalised]  # muon moves a vector as nadam does
    every = [Recipe((), optimiser=name, learning_rate=0.07, decay="inverse_time", epochs=60.0) for name in names]  # type: ignore[arg-type]
    reached = descended(every, lambda w, age: jnp.asarray(CURVATURE) * w, np.ones(2), 4000, steps_per_epoch=200.0)
    x = np.array([[-1.0, -1], [-1, 1], [1, -1], [1, 1]])
    network = Recipe((2,), "tanh", optimiser="adam", learning_rate=0.05, decay="constant", initialisation="xavier")
    final = trained([network] * 20, x, np.array([0, 1, 1, 0]), "sigmoid", 2000)[2]
    return [
        ("the bowl: of 11 optimisers, how many end below a cost of 0.001", len(names), sum(bowl(w) < 1e-3 for w in reached)),
        ("the network: of 20 seeds, how many end below a cost of 0.01", len(final), (final < 0.01).sum()),
        ("the network: highest cost at the end", 0, final.max()),
    ]


def fixed_gamma() -> list[Figure]:
    """One tanh unit behind batch norm learns ``tanh(4x)``; without gamma its input has standard deviation 1 for ever."""
    x = np.linspace(-1, 1, 64)[:, None]
    recipe = Recipe((1,), "tanh", "batch", optimiser="adam", learning_rate=0.02, decay="constant")
    held, learned = (trained([recipe], x, np.tanh(4 * x[:, 0]), "squared_error", 2000, name)[2][0] for name in ("gamma", ""))
    return [("loss after 2,000 steps", round(held, 5), round(learned, 5))]  # digits that every machine's rounding leaves alone


ERRATA = (
    Erratum(
        "1.3",
        "A high dev error alone is not high variance",
        "The dev error is high, so the model has high variance.",
        "The dev error holds everything: the error that nobody can avoid, the bias and the variance. A network that does no better on "
        "its own training rows has a bias problem, which more data or regularisation would not cure; one that fits train badly and "
        "dev much worse has both.",
        "avoidable bias = train error - target error; variance = dev error - train error. Each is judged by itself.",
        high_dev_error,
        "test_a_high_dev_error_is_high_variance_only_with_a_gap_to_train",
        ("by the dev error", "by the gaps"),
    ),
    Erratum(
        "2.1",
        "L2 is weight decay for plain gradient descent only",
        "L2 regularisation is also called weight decay; with any optimiser, `dW += (lambda/m) W`.",
        "`W = W - alpha (dW + (lambda/m) W)` is `W = (1 - alpha lambda/m) W - alpha dW`: for gradient descent the two are one. Adam "
        "divides the penalty's slope by `sqrt(S)` as it divides the rest of the gradient, so weights with small gradients shrink too "
        "much, and those with large gradients hardly at all.",
        "Both are there: `l2` is the term of the cost, `weight_decay` shrinks the weights beside the update, `W -= alpha weight_decay W` "
        "(AdamW, the default).",
        l2_and_decay,
        "test_l2_is_weight_decay_for_gradient_descent_and_not_for_adam",
        ("L2 in the gradient", "decoupled decay"),
    ),
    Erratum(
        "2.4",
        "Dropout divides by keep_prob",
        "`A = A * d`, which reduces the expectation of `A` by `1 - keep_prob`; or that divided by `1 - keep_prob`.",
        "`d` is 1 with probability keep_prob, so the expectation of `A` is multiplied by keep_prob. Without the division the next layer "
        "sees smaller inputs in training than in use; and only the divisor keep_prob makes up for it.",
        "`A = A * d / keep_prob` with `d = rand(A.shape) < keep_prob`.",
        undivided_dropout,
        "test_dropout_keeps_the_expectation_only_if_divided_by_keep_prob",
    ),
    Erratum(
        "3.1",
        "Inputs are divided by the standard deviation, not by the variance",
        "`x = (x - mu) / sigma^2`",
        "Divided by its variance, a column of standard deviation `s` gets the standard deviation `1/s`: small columns become large and "
        "large ones small, and the cost's contours are as elongated as before.",
        "`x = (x - mu) / sigma`, with `mu` and `sigma` of the training rows. A constant column is only centred, and stays finite.",
        divided_by_variance,
        "test_dividing_by_the_variance_turns_the_scales_round_and_dividing_by_the_standard_deviation_removes_them",
    ),
    Erratum(
        "3.3",
        "Exploding gradients make learning diverge",
        "Vanishing and exploding gradients slow down learning.",
        "Vanishing gradients do. Exploding ones throw the weights so far that the next gradient is larger still: the loss grows until it "
        "is no number any more, and waiting longer does not help.",
        "Initial weights that keep the size of what passes through a layer, such as He's; clipping by the global norm. "
        "A network that diverges is recorded as diverged.",
        exploding_gradients,
        "test_exploding_gradients_diverge_where_the_same_network_with_he_initialisation_learns",
        ("weights twice too large", "He initialisation"),
    ),
    Erratum(
        "3.4",
        "A gradient check compares a relative error, not its step",
        "If epsilon is about 1e-7 the gradient is correct; at 1e-5 look again; at 1e-3 it is wrong.",
        "The step epsilon is chosen, and says nothing about the gradient. The thresholds are for what is measured with it.",
        "`||d - dtheta|| / (||d|| + ||dtheta||)`: up to 1e-7 correct, up to 1e-5 look again, 1e-3 or more wrong.",
        step_for_error,
        "test_a_gradient_check_judges_the_relative_error_whatever_the_step",
        ("judged by the step", "judged by the relative error"),
    ),
    Erratum(
        "3.4",
        "A failed gradient check is cured in the backward pass",
        "If the check fails, recalculate the weights.",
        "The check compares the gradient with the slope of the cost at any weights. If the formula of the gradient is wrong, it is wrong "
        "at the next weights as well.",
        "Correct the backward pass; the parameters that disagree most, which the check names, tell where.",
        new_weights_for_a_wrong_gradient,
        "test_new_weights_do_not_cure_a_wrong_gradient_and_a_corrected_backward_pass_does",
        ("weights drawn anew", "backward pass corrected"),
    ),
    Erratum(
        "4.1",
        "1,000 is the size of a mini-batch, not their number",
        "`J = 1/1000 sum_i L(y_hat_i, y_i)` for a mini-batch, with 1,000 the number of mini-batches.",
        "The sum runs over the examples of one mini-batch, so their number divides it. Only then is the mini-batch's cost an estimate of "
        "the whole cost, whatever the number of mini-batches: of 5,000,000 rows there are 5,000 of them.",
        "`J = 1/size sum_i L(y_hat_i, y_i)` over the rows of the mini-batch; the last, smaller one by its own size.",
        batches_for_batch_size,
        "test_the_cost_of_a_mini_batch_is_the_mean_over_its_own_rows",
    ),
    Erratum(
        "4.2",
        "The corrected average is never fed back",
        "`V_t = (beta V_(t-1) + (1 - beta) theta_t) / (1 - beta^t)`",
        "The recursion then divides again what was divided before: the first averages of a constant are many times too large.",
        "`V_t = beta V_(t-1) + (1 - beta) theta_t` goes on as it is, and `V_t / (1 - beta^t)` is what is read.",
        fed_back,
        "test_a_corrected_average_fed_back_leaves_the_constant_that_it_should_be",
    ),
    Erratum(
        "4.4",
        "RMSprop divides by the square root, plus epsilon",
        "`W = W - alpha dW / S`",
        "`S` has the size of `dW^2`, so the step has the size of `alpha / dW`: the smaller the gradient, the longer the step, and there is "
        "no rest at a minimum. Where the gradient is 0 the step is 0/0.",
        "`W = W - alpha dW / (sqrt(S) + eps)`",
        rootless_rmsprop,
        "test_rmsprop_without_its_square_root_and_epsilon_does_not_come_to_rest",
    ),
    Erratum(
        "4.5",
        "Adam divides by the square root, too",
        "`W = W - alpha (V^ / S^ + eps)`",
        "As with RMSprop, the step has the size of `alpha / dW`. Its length should be about alpha, whatever the unit of the cost.",
        "`W = W - alpha V^ / (sqrt(S^) + eps)`",
        rootless_adam,
        "test_adam_without_its_square_root_takes_steps_of_the_wrong_length",
    ),
    Erratum(
        "4.5",
        "Adam's epsilon stands in the denominator",
        "`W = W - alpha (V^ / sqrt(S^) + eps)`",
        "Beside the quotient epsilon protects nothing: a weight whose gradient is 0 gets 0/0, and one whose gradient is round-off gets "
        "full steps.",
        "`W = W - alpha V^ / (sqrt(S^) + eps)`",
        epsilon_added_to_the_quotient,
        "test_epsilon_protects_a_weight_without_gradient_only_in_the_denominator",
    ),
    Erratum(
        "4.7",
        "No optimiser is guaranteed a global minimum",
        "With the right optimiser, gradient descent reaches the global minimum.",
        "That holds on a bowl. A network's cost has more than one valley, and where training ends depends on where it began.",
        "Train from several seeds, keep the best, and report how much they differ.",
        global_minimum,
        "test_every_optimiser_reaches_the_bottom_of_the_bowl_and_some_networks_end_in_another_valley",
        ("as claimed", "measured"),
    ),
    Erratum(
        "6.1",
        "Batch norm's update needs gamma, too",
        "In each step: `W = W - alpha dW; beta = beta - alpha dbeta`.",
        "gamma is learned like beta. Held at 1 it leaves every unit's input with the standard deviation 1, and a tanh cannot become "
        "steeper.",
        "In each step: `W = W - alpha dW; gamma = gamma - alpha dgamma; beta = beta - alpha dbeta`; or any other optimiser on all three.",
        fixed_gamma,
        "test_without_gammas_update_a_unit_behind_batch_norm_cannot_become_steeper",
        ("gamma held at 1", "gamma learned"),
    ),
)

INTRODUCTION = """# Errata

Forms of the method that popular texts print wrong. Each is shown as printed and as shoal has it, with what both give: the correct form by
shoal's own code, the printed one by a few lines of NumPy. A test holds both to it: `tests/test_errata.py`. This page is made by
`python docs/errata.py`.
"""


def written(value: Value) -> str:
    """A figure with three significant digits; what is only round-off, or chaotic, is not given in digits.

    Example:
        >>> written(2086), written(0.8186), written(13.0), written(math.nan), written(1e-85), written("high bias")
        ('2,090', '0.819', '13', 'not finite', 'below 1e-6', 'high bias')
    """
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        return "not finite"
    if 0 < abs(value) < 1e-6:
        return "below 1e-6"
    rounded = float(f"{value:.3g}")
    decimals = 0 if rounded == 0 else max(0, 2 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:,.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{rounded:,.0f}"


def described(erratum: Erratum, figures: list[Figure]) -> str:
    """One entry of the page."""
    rows = [("", *erratum.headings), ("---",) * 3, *((what, written(printed), written(correct)) for what, printed, correct in figures)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return f"""## {erratum.section} {erratum.title}

**As printed:** {erratum.printed}

**Why it is wrong:** {erratum.why}

**Correct:** {erratum.correct}

**Measured:** {(erratum.demonstrate.__doc__ or "").replace("``", "`")}

{table}

Test: `{erratum.test}`
"""


def page(measured: Callable[[Erratum], list[Figure]] = lambda erratum: erratum.demonstrate()) -> str:
    """The page; ``measured`` gives the figures of an erratum, by measuring them anew if nothing else is said."""
    return "\n".join([INTRODUCTION, *(described(erratum, measured(erratum)) for erratum in ERRATA)])


if __name__ == "__main__":
    devices.start()
    PAGE.write_text(page())
