"""Whole trainings that combine techniques, written a second time with PyTorch's functions: the same weights to begin with, the same
mini-batches and the same random numbers, in double precision.

Ours is padded (units 5 and 3 in layers 9 wide, 6 inputs in 8 columns, a last mini-batch with rows of weight 0); PyTorch's has its
true size. ``docs/conventions.md`` lists what is translated here: momentum's scale, NAdam's schedule of beta1, and so on.
"""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from shoal import noise, training
from shoal.losses import Loss
from shoal.nets import layers
from shoal.nets.network import Draws, Layout, draw
from shoal.orthogonal import ROUGH
from shoal.recipe import AUGMENTATIONS, CHOICES, OPTIMISERS, TECHNIQUES, Numbers, Recipe

ROWS, INPUTS, UNITS, BATCH, STEPS = 56, 6, (5, 3), 12, 50
STEPS_PER_EPOCH = -(-ROWS // BATCH)
RNG = np.random.default_rng(2)
X = RNG.normal(size=(ROWS, INPUTS))
CLASS = RNG.choice(3, size=ROWS, p=[0.6, 0.3, 0.1])
TARGETS: dict[Loss, np.ndarray] = {
    "softmax": CLASS, "sigmoid": CLASS > 0, "multi_label": np.stack([CLASS > 0, X[:, 0] > 0, CLASS == 1], 1),
    "squared_error": X[:, 0] + RNG.normal(size=ROWS), "huber": RNG.standard_t(2, size=ROWS),
    "poisson": RNG.poisson(np.exp(X[:, 1])) / 1.5, "quantile": X[:, 2] + RNG.normal(size=ROWS),
}  # fmt: skip
OUTPUTS = {"softmax": 3, "multi_label": 3}
WEIGHT = RNG.uniform(0.5, 2, ROWS)
BALANCE = compute_class_weight("balanced", classes=np.arange(3), y=CLASS)
EPSILON = layers.NORMALISATION_EPSILON
QUICKLY = {"xla_backend_optimization_level": "0", "xla_llvm_disable_expensive_passes": True}

CASES: dict[str, tuple[Loss, dict[str, Any]]] = {
    "adamw, decoupled decay, cosine": ("softmax", {"activation": "silu", "weight_decay": 0.1, "decay": "cosine", "epochs": 9.0}),
    "adam, L2": ("sigmoid", {"activation": "relu", "optimiser": "adam", "l2": 3.0}),
    "momentum, clipping to a norm": (
        "squared_error", {"activation": "tanh", "optimiser": "momentum", "clip_norm": 0.3, "learning_rate": 0.1},
    ),
    "rmsprop, batch norm": (
        "softmax", {"activation": "leaky_relu", "optimiser": "rmsprop", "normalisation": "batch", "beta2": 0.95, "epsilon": 1e-4},
    ),
    "descent, inverse time, label smoothing": (
        "softmax", {"activation": "sigmoid", "optimiser": "gradient_descent", "decay": "inverse_time", "decay_rate": 0.5,
                    "label_smoothing": 0.1, "learning_rate": 0.5},
    ),
    "lion, layer norm, exponential": (
        "softmax", {"activation": "silu", "optimiser": "lion", "normalisation": "layer", "beta2": 0.99, "learning_rate": 0.002,
                    "decay": "exponential", "weight_decay": 0.5},
    ),
    "muon, silu, learned inputs, linear": (
        "softmax", {"activation": "silu", "optimiser": "muon", "weight_decay": 0.3, "input_scale_rate": 3.0, "decay": "linear",
                    "epochs": 9.0, "epsilon": 1e-4},
    ),
    "nadam, gelu, weight average": ("sigmoid", {"activation": "gelu", "optimiser": "nadam", "weight_average": 0.9, "epsilon": 1e-4}),
    "adagrad, selu, square root of the epoch": (
        "squared_error", {"activation": "selu", "optimiser": "adagrad", "learning_rate": 0.05, "decay": "sqrt_epoch"},
    ),
    "amsgrad, huber, warm-up, one cycle": (
        "huber", {"activation": "elu", "optimiser": "amsgrad", "huber_delta": 0.7, "warm_up": 1.5, "decay": "one_cycle", "epochs": 8.0,
                  "beta2": 0.9},
    ),
    "nesterov, quantile, staircase": (
        "quantile", {"activation": "tanh", "optimiser": "nesterov", "quantile": 0.8, "decay": "staircase", "decay_factor": 0.5,
                     "decay_epochs": 2.0, "learning_rate": 0.1},
    ),
    "classical momentum, poisson, clipping of values": (
        "poisson", {"activation": "relu", "optimiser": "classical_momentum", "clip_value": 0.05, "learning_rate": 0.02},
    ),
    "several labels, label smoothing, warm-up, linear": (
        "multi_label", {"activation": "silu", "label_smoothing": 0.2, "warm_up": 2.0, "decay": "linear", "epochs": 9.0},
    ),
    "mixup, input noise, batch norm": (
        "softmax", {"activation": "silu", "normalisation": "batch", "mixup": 0.4, "input_noise": 0.3, "batch_norm_beta": 0.9},
    ),
    "dropout of inputs and units, layer norm": (
        "multi_label", {"activation": "gelu", "normalisation": "layer", "keep_prob": (0.8, 0.6), "input_keep_prob": 0.9},
    ),
    "L1, max-norm, square root of the step": (
        "sigmoid", {"activation": "relu", "optimiser": "adam", "l1": 4.0, "max_norm": 0.4, "decay": "sqrt_step", "learning_rate": 0.05},
    ),
    "balanced classes, momentum": (
        "softmax", {"activation": "identity", "optimiser": "momentum", "class_balance": 0.7, "learning_rate": 0.1},
    ),
    "learned factors of inputs, residual layers": (
        "softmax", {"activation": "tanh", "input_scale_rate": 3.0, "residual": True, "hidden_units": (7, 7), "clip_norm": 0.3,
                    "decay": "exponential", "output_gain": 0.5},
    ),
    "parametric activations": (
        "softmax", {"activation": "silu", "activation_rate": 4.0, "input_scale_rate": 2.0, "weight_decay": 0.2, "clip_norm": 0.5},
    ),
    "parametric activations after batch norm": (
        "squared_error", {"activation": "relu", "activation_rate": 0.5, "normalisation": "batch", "weight_average": 0.7},
    ),
    "no hidden layer, poisson": ("poisson", {"hidden_units": (), "optimiser": "nesterov", "learning_rate": 0.05, "l2": 2.0}),
    "everything together": (
        "softmax", {
            "activation": "relu", "normalisation": "batch", "optimiser": "nadam", "warm_up": 0.8, "decay": "cosine", "epochs": 9.0,
            "mixup": 1.0, "input_noise": 0.2, "keep_prob": 0.8, "input_keep_prob": 0.9, "class_balance": 1.0, "label_smoothing": 0.1,
            "l2": 2.0, "weight_decay": 0.3, "l1": 5.0, "max_norm": 1.0, "clip_value": 0.1, "clip_norm": 0.25, "weight_average": 0.8,
        },
    ),
}  # fmt: skip


def recipe_of(settings: dict[str, Any]) -> Recipe:
    return Recipe(**({"hidden_units": UNITS, "batch_size": BATCH, "learning_rate": 0.01, "decay": "constant"} | settings))


def rows_of(step: int) -> np.ndarray:
    """The rows of a mini-batch: the last one of an epoch is smaller."""
    first = step % STEPS_PER_EPOCH * BATCH
    return np.arange(first, min(first + BATCH, ROWS))


# -- ours ------------------------------------------------------------------------------------------------------------------------------
WIDTH, COLUMNS = 9, 8
SCALE = training.Scale(np.float64(ROWS), np.float64(STEPS_PER_EPOCH), np.arange(COLUMNS) < INPUTS, BALANCE, np.float64(0))


def padded_batch(loss: Loss, rows: np.ndarray, size: int) -> training.Batch:
    more = size - len(rows)
    x = np.pad(X[rows], ((0, more), (0, COLUMNS - INPUTS)))
    target = np.concatenate([TARGETS[loss][rows], TARGETS[loss][:more]])  # what stands in the padding does not matter
    return training.Batch(x, target, np.pad(WEIGHT[rows], (0, more)))


class Training(NamedTuple):
    """What became of a network, and the random numbers of each step."""

    start: training.State
    end: training.State
    evaluated: tuple[Any, Any]  # the parameters, and the statistics of batch norm
    measured: tuple[Any, Any]  # [steps] each: the loss and the gradient's norm
    dev_loss: Any
    draws: Draws  # with a leading axis of steps


@functools.partial(jax.jit, static_argnums=0, compiler_options=QUICKLY)
def train(layout: Layout, numbers: Numbers, epoch: training.Batch, everything: training.Batch) -> Training:
    """Start, train on the mini-batches of an ``epoch`` (with a leading axis) in turn, and evaluate: one program."""
    scale = jax.tree.map(jnp.asarray, SCALE)

    def one_step(state, number):
        batch = jax.tree.map(lambda leaf: leaf[number % STEPS_PER_EPOCH], epoch)
        draws = draw(layout, jnp.uint32(7), number, jnp.float64)
        state, loss, norm = training.step(layout, state, numbers, scale, batch, draws)
        return state, ((loss, norm), draws)

    start = training.start(layout, numbers, scale, dtype=jnp.float64)
    end, (measured, draws) = jax.lax.scan(one_step, start, jnp.arange(STEPS, dtype=jnp.int32))
    dev_loss, _ = training.evaluate(layout, end, numbers, everything)
    return Training(start, end, training.as_evaluated(end, numbers), measured, dev_loss, draws)


def trained(loss: Loss, recipe: Recipe, numbers: Numbers) -> Training:
    layout = Layout(recipe.shape, WIDTH, COLUMNS, 0, OUTPUTS.get(loss, 1), loss, recipe.techniques)
    batches = [padded_batch(loss, rows_of(step), BATCH) for step in range(STEPS_PER_EPOCH)]
    epoch = jax.tree.map(lambda *leaves: jnp.stack(leaves), *batches)
    return jax.tree.map(np.asarray, train(layout, numbers, epoch, padded_batch(loss, np.arange(ROWS), ROWS + 5)))


def true_size(parameters, units):
    """The part of padded parameters, or of batch norm's statistics, that belongs to the network."""
    sizes = [INPUTS, *units, *parameters[-1].get("b", np.zeros(0)).shape]

    def own(layer, name, leaf):
        if name == "scale":
            return leaf[:INPUTS]
        return leaf[: sizes[layer], : sizes[layer + 1]] if name == "w" else leaf[: sizes[layer + 1]]

    return [{name: own(layer, name, leaf) for name, leaf in each.items()} for layer, each in enumerate(parameters)]


# -- PyTorch's -------------------------------------------------------------------------------------------------------------------------
class Lion(torch.optim.Optimizer):
    """PyTorch has none: Algorithm 2 of Chen et al. (2023), without the decay."""

    @torch.no_grad()
    def step(self, closure=None):  # type: ignore[override]
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for w in group["params"]:
                m = self.state[w].setdefault("m", torch.zeros_like(w))
                w -= group["lr"] * torch.sign(beta1 * m + (1 - beta1) * w.grad)
                m.lerp_(w.grad, 1 - beta2)


class Muon(torch.optim.NAdam):
    """Every weight matrix but the last by the singular value decomposition of its averaged gradient, all else by NAdam."""

    def __init__(self, tensors: list[torch.Tensor], **settings: Any):
        super().__init__(tensors, **settings)
        self.matrices, self.steps = [tensor for tensor in tensors if tensor.ndim == 2][:-1], 0
        self.averages: dict[torch.Tensor, torch.Tensor] = {}

    @torch.no_grad()
    def step(self, closure=None):  # type: ignore[override]
        self.steps += 1
        group = self.param_groups[0]
        beta, t = group["betas"][0], self.steps
        for w in self.matrices:
            gradient, w.grad = w.grad, None  # NAdam leaves it alone
            assert gradient is not None
            m = self.averages.setdefault(w, torch.zeros_like(w)).lerp_(gradient, 1 - beta)
            ahead = beta * m / (1 - beta ** (t + 1)) + (1 - beta) * gradient / (1 - beta**t)
            left, values, right = torch.linalg.svd(ahead, full_matrices=False)
            values = values / torch.linalg.vector_norm(values)
            for a, b, c in ROUGH:
                values = a * values + b * values**3 + c * values**5
            w -= group["lr"] * 0.2 * max(w.shape) ** 0.5 * (left * values) @ right
        super().step()


def optimiser_of(recipe: Recipe, tensors: list[torch.Tensor]) -> torch.optim.Optimizer:
    alpha, beta = recipe.learning_rate, recipe.beta1
    moments = {"lr": alpha, "betas": (beta, recipe.beta2), "eps": recipe.epsilon}
    make: dict[str, Callable[[], torch.optim.Optimizer]] = {
        "gradient_descent": lambda: torch.optim.SGD(tensors, alpha),
        "momentum": lambda: torch.optim.SGD(tensors, alpha * (1 - beta), momentum=beta),
        "classical_momentum": lambda: torch.optim.SGD(tensors, alpha, momentum=beta),
        "nesterov": lambda: torch.optim.SGD(tensors, alpha * (1 - beta), momentum=beta, nesterov=True),
        "rmsprop": lambda: torch.optim.RMSprop(tensors, alpha, alpha=recipe.beta2, eps=recipe.epsilon),
        "adagrad": lambda: torch.optim.Adagrad(tensors, alpha, eps=recipe.epsilon),
        "adam": lambda: torch.optim.Adam(tensors, **moments),
        "adamw": lambda: torch.optim.Adam(tensors, **moments),
        "nadam": lambda: torch.optim.NAdam(tensors, momentum_decay=1e6, **moments),
        "amsgrad": lambda: torch.optim.Adam(tensors, amsgrad=True, **moments),
        "muon": lambda: Muon(tensors, momentum_decay=1e6, **moments),
        "lion": lambda: Lion(tensors, {"lr": alpha, "betas": (beta, recipe.beta2)}),
    }
    return make[recipe.optimiser]()


def rate_of(recipe: Recipe) -> Callable[[int], float]:
    """The learning rate as a factor of alpha; ``test_schedules.py`` compares the schedules themselves."""
    before, total = recipe.warm_up * STEPS_PER_EPOCH, recipe.epochs * STEPS_PER_EPOCH

    def cosine(a, b, p):
        return b + (a - b) * (1 + np.cos(np.pi * p)) / 2

    def one_cycle(p):
        return cosine(1 / 25, 1, p / 0.3) if p < 0.3 else cosine(1, 1 / 250_000, (p - 0.3) / 0.7)

    def factor(step: int) -> float:
        t = max(step - before, 0)
        e, p = t / STEPS_PER_EPOCH, min(t / (total - before), 1)
        share = {
            "constant": 1.0, "inverse_time": 1 / (1 + recipe.decay_rate * e), "exponential": recipe.decay_factor**e,
            "sqrt_epoch": 1 / np.sqrt(1 + e), "sqrt_step": 1 / np.sqrt(1 + t), "linear": 1 - p, "cosine": cosine(1, 0, p),
            "staircase": recipe.decay_factor ** (t // (recipe.decay_epochs * STEPS_PER_EPOCH)), "one_cycle": one_cycle(p),
        }[recipe.decay]  # fmt: skip
        return min((step + 1) / before, 1.0) * share if before else share

    return factor


def each_loss(loss: Loss, recipe: Recipe, z: torch.Tensor, target: torch.Tensor, delta: float) -> torch.Tensor:
    s, first = recipe.label_smoothing, z[:, 0]
    if loss == "softmax":
        return functional.cross_entropy(z, target, reduction="none", label_smoothing=s)
    if loss == "sigmoid":
        return functional.binary_cross_entropy_with_logits(first, target.double() * (1 - s) + s / 2, reduction="none")
    if loss == "multi_label":
        return functional.multilabel_soft_margin_loss(z, target.double() * (1 - s) + s / 2, reduction="none")
    if loss == "huber":
        return functional.huber_loss(first, target, reduction="none", delta=delta)
    if loss == "poisson":
        return functional.poisson_nll_loss(first, target, log_input=True, reduction="none")
    if loss == "quantile":
        return torch.maximum(recipe.quantile * (target - first), (recipe.quantile - 1) * (target - first))
    return functional.mse_loss(first, target, reduction="none")


def outputs_in_torch(recipe: Recipe, parameters, x, seen, drawn: Draws | None):
    """Outputs, and each batch norm's mean and biased variance: of the mini-batch in training, ``seen`` in use (then ``drawn`` is None)."""
    activation = {"identity": lambda z: z, "tanh": torch.tanh}.get(recipe.activation) or getattr(functional, recipe.activation)

    def dropped(a, bits, keep_prob):
        if drawn is None or keep_prob == 1:
            return a
        kept = np.asarray(noise.keep(bits, jnp.asarray(keep_prob)))[: a.shape[0], : a.shape[1]]
        return a * torch.tensor(kept) / keep_prob

    a, statistics = dropped(x, drawn and drawn.inputs, recipe.input_keep_prob), []
    a = a * parameters[0].get("scale", 1.0)
    for number, layer in enumerate(parameters[:-1]):
        past = a if recipe.residual and number else 0.0
        z = a @ layer["w"]
        if recipe.normalisation == "batch":
            statistics.append({"mean": z.mean(0).detach(), "variance": z.var(0, correction=0).detach()})
            used = seen[number] if drawn is None else {}
            z = functional.batch_norm(
                z, used.get("mean"), used.get("variance"), layer["gamma"], layer["beta"], training=drawn is not None, eps=EPSILON
            )
        else:
            z = z + layer["b"]
        if recipe.normalisation == "layer":
            z = functional.layer_norm(z, (z.shape[1],), layer["gamma"], layer["beta"], EPSILON)
        bent = activation(z)
        if recipe.activation_rate:
            bent = layer["share"] * bent + (1 - layer["share"]) * z
        a = dropped(bent + past, drawn and drawn.hidden and drawn.hidden[number], recipe.keep_probs[number + 1])
    return a @ parameters[-1]["w"] + parameters[-1]["b"], statistics


def cost_in_torch(loss: Loss, recipe: Recipe, parameters, rows, drawn: Draws):
    """The mini-batch's loss, and batch norm's statistics."""
    x, target, weight = torch.tensor(X[rows]), torch.tensor(TARGETS[loss][rows]), torch.tensor(WEIGHT[rows])
    if recipe.class_balance:
        weight = weight * torch.tensor(BALANCE)[target] ** recipe.class_balance
    share = float(layers.mixup_weight(drawn.mixup, jnp.asarray(recipe.mixup))) if recipe.mixup else 1.0
    x = share * x + (1 - share) * x.roll(-1, 0)  # with the next example; the last one with the first
    if recipe.input_noise:
        x = x + recipe.input_noise * torch.tensor(np.asarray(drawn.normal)[: len(rows), :INPUTS])
    z, statistics = outputs_in_torch(recipe, parameters, x, None, drawn)

    def mean_loss(target, weight):
        return (each_loss(loss, recipe, z, target, recipe.huber_delta) * weight).sum() / weight.sum()

    return share * mean_loss(target, weight) + (1 - share) * mean_loss(target.roll(-1, 0), weight.roll(-1, 0)), statistics


class InTorch:
    """A network in training; ``did`` names the limits that its numbers have met."""

    def __init__(self, loss: Loss, recipe: Recipe, start):
        self.loss: Loss = loss
        self.recipe, self.did = recipe, set()
        self.parameters = [{name: torch.tensor(leaf, requires_grad=True) for name, leaf in layer.items()} for layer in start]
        self.weights = [layer["w"] for layer in self.parameters]
        self.tensors = [tensor for layer in self.parameters for tensor in layer.values()]
        self.optimiser, self.rate = optimiser_of(recipe, self.tensors), rate_of(recipe)
        group = self.optimiser.param_groups[0]
        for name, rate in (("scale", recipe.input_scale_rate), ("share", recipe.activation_rate)):  # in groups of their own
            own = [layer[name] for layer in self.parameters if name in layer]
            if own:
                group["params"] = [tensor for tensor in group["params"] if not any(tensor is each for each in own)]
                alone = {name: value for name, value in group.items() if name != "params"}
                self.optimiser.add_param_group({**alone, "params": own, "lr": group["lr"] * rate})
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, self.rate)
        self.model = torch.nn.ParameterList(self.tensors)
        average = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.weight_average)
        self.average = torch.optim.swa_utils.AveragedModel(self.model, multi_avg_fn=average)
        self.first = self.seen = None

    def step(self, number: int, draws: Draws) -> tuple[float, float]:
        cost, statistics = cost_in_torch(self.loss, self.recipe, self.parameters, rows_of(number), draws)
        self.optimiser.zero_grad()
        (cost + self.recipe.l2 / (2 * ROWS) * sum((w**2).sum() for w in self.weights)).backward()
        norm = self.norm()
        self.clip()
        self.update(self.recipe.learning_rate * self.rate(number))
        self.schedule.step()
        self.remember(statistics)
        return float(cost.detach()), float(norm)

    def norm(self) -> torch.Tensor:
        return torch.linalg.vector_norm(torch.cat([tensor.grad.ravel() for tensor in self.tensors if tensor.grad is not None]))

    def clip(self) -> None:
        if self.recipe.clip_value is not None:
            before = self.norm()
            torch.nn.utils.clip_grad_value_(self.tensors, self.recipe.clip_value)
            self.did |= {"clip_value"} if self.norm() < before else set()
        norm = self.norm()
        if self.recipe.clip_norm is not None and norm > self.recipe.clip_norm:  # PyTorch's own adds 1e-6 to the norm
            self.did.add("clip_norm")
            for tensor in self.tensors:
                tensor.grad *= self.recipe.clip_norm / norm  # type: ignore[operator]

    @torch.no_grad()
    def update(self, alpha: float) -> None:
        for w in self.weights:
            w *= 1 - alpha * self.recipe.weight_decay
        self.optimiser.step()
        for w in self.weights:
            w.copy_(functional.softshrink(w, alpha * self.recipe.l1 / ROWS))
            self.did |= set() if w.all() else {"l1"}
        for w in self.weights[:-1] if self.recipe.max_norm is not None else []:
            norms = torch.linalg.vector_norm(w, dim=0)
            self.did |= {"max_norm"} if (norms > self.recipe.max_norm).any() else set()
            w *= torch.clamp(self.recipe.max_norm / norms, max=1)  # PyTorch's own, renorm, adds 1e-7 to the norm

    def remember(self, statistics) -> None:
        beta = self.recipe.batch_norm_beta
        self.average.update_parameters(self.model)
        self.first = self.first or [tensor.detach().clone() for tensor in self.tensors]
        past = self.seen or [{name: torch.zeros_like(now) for name, now in layer.items()} for layer in statistics]
        self.seen = [
            {name: beta * old[name] + (1 - beta) * now for name, now in layer.items()} for old, layer in zip(past, statistics, strict=True)
        ]

    def as_evaluated(self):
        """The parameters, and the statistics of batch norm."""
        left, values = self.recipe.weight_average**STEPS, [tensor.detach() for tensor in self.tensors]
        if self.recipe.weight_average:  # PyTorch's average begins with the first weights, ours with 0 and is corrected for it
            averaged = self.average.module.parameters()
            values = [(average.detach() - left * first) / (1 - left) for average, first in zip(averaged, self.first or [], strict=True)]
        remaining = iter(values)
        correction = 1 - self.recipe.batch_norm_beta**STEPS
        seen = [{name: average / correction for name, average in layer.items()} for layer in self.seen or []]
        return [{name: next(remaining) for name in layer} for layer in self.parameters], seen


def assert_close(ours, expected, tolerance):
    for mine, theirs in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        theirs = np.asarray(theirs)
        assert np.linalg.norm(mine - theirs) <= tolerance * max(np.linalg.norm(theirs), 1e-3)


@pytest.fixture(autouse=True, scope="module")
def pytorch_in_double_precision_on_one_thread():
    """Its NAdam keeps a running product in the default type; and threads that wait for each other take longer than so small a network."""
    threads = torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", CASES)
def test_50_steps_and_the_evaluation_of_a_padded_network_are_pytorchs(float64, exact, name):
    loss, settings = CASES[name]
    recipe = recipe_of(settings)
    ours = trained(loss, recipe, exact(recipe))
    theirs = InTorch(loss, recipe, true_size(ours.start.parameters, recipe.hidden_units))
    measured = [theirs.step(number, jax.tree.map(lambda leaf, number=number: leaf[number], ours.draws)) for number in range(STEPS)]
    np.testing.assert_allclose(np.stack(ours.measured, 1), measured, rtol=1e-9)
    parameters, seen = theirs.as_evaluated()
    for mine, expected in zip(ours.evaluated, (parameters, seen), strict=True):
        assert_close(true_size(mine, recipe.hidden_units) if mine else [], expected, 1e-9)
    own = sum(int(tensor.count_nonzero()) for layer in theirs.parameters for name, tensor in layer.items() if name != "scale")
    held = [np.count_nonzero(leaf) for layer in ours.end.parameters for name, leaf in layer.items() if name != "scale"]
    assert sum(held) == own, "whatever is beyond its units and inputs stays 0"
    assert theirs.did >= {"clip_value", "clip_norm", "max_norm", "l1"} & set(recipe.techniques)

    z, _ = outputs_in_torch(recipe, parameters, torch.tensor(X), seen, None)
    each = each_loss(loss, replace(recipe, label_smoothing=0.0), z, torch.tensor(TARGETS[loss]), 1.0)
    assert float(ours.dev_loss) == pytest.approx(float((each * torch.tensor(WEIGHT)).sum()), rel=1e-9)


def test_the_trainings_use_every_optimiser_activation_normalisation_loss_and_technique_between_them():
    recipes = [recipe_of(settings) for _, settings in CASES.values()]
    assert {recipe.activation for recipe in recipes} == set(CHOICES["activation"])
    assert {recipe.normalisation for recipe in recipes} == set(CHOICES["normalisation"])
    assert {recipe.optimiser for recipe in recipes} == set(OPTIMISERS)
    assert {loss for loss, _ in CASES.values()} == set(TARGETS)
    used = {name for recipe in recipes for name in recipe.techniques}
    # not how weights begin, what scores decide, and what is done to pictures
    assert used == set(TECHNIQUES) - {"lsuv", "orthogonal", "plateau"} - set(AUGMENTATIONS)
