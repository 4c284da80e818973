"""Every optimiser through the same checks, in double precision: against its formula in NumPy, against optax and against PyTorch.

Where the libraries differ, the case names the form that is ours; ``docs/conventions.md`` lists all of them:

- ``momentum`` and ``nesterov`` average, ``V = beta V + (1 - beta) dW``; the form ``V = beta V + dW`` of PyTorch and optax is the
  same with a learning rate ``1 - beta`` times as large, and is ours as ``classical_momentum``;
- epsilon stands outside the square root, where optax's Adagrad has it inside: the two meet where epsilon is negligible;
- moments start from 0 (optax's RMSprop and Adagrad have an initial value), and only Adam and its relatives correct for that;
- AMSGrad takes the maximum of the raw second moment and corrects it on reading, as PyTorch does; optax's correction is off here, and
  a schedule does the same;
- NAdam's beta1 is constant, as in optax; PyTorch's rises, unless its ``momentum_decay`` is so large that it is there from the start.
"""

from collections import defaultdict
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.optimize
import torch

from shoal import optimisers
from shoal.orthogonal import ROUGH
from shoal.recipe import OPTIMISERS, Recipe, stack, techniques_of

ALPHA, BETA1, BETA2, EPSILON, DECAY, CLIP, STEPS = 0.02, 0.8, 0.95, 1e-3, 0.3, 1.5, 15
NEGLIGIBLE = 1e-30
SETTINGS = Recipe((4,), optimiser="adamw", learning_rate=ALPHA, beta1=BETA1, beta2=BETA2, epsilon=EPSILON)
MASK = {"w": True, "b": False}
ONCE = {"w": 1.0, "b": 1.0}
SIDES = {"w": 5.0, "b": 0}

RNG = np.random.default_rng(3)
START = {"w": RNG.normal(size=(5, 4)), "b": RNG.normal(size=4)}
GRADIENTS = [{"w": RNG.normal(size=(5, 4)), "b": RNG.normal(size=4)} for _ in range(STEPS)]
QUICKLY = {"xla_backend_optimization_level": "0", "xla_llvm_disable_expensive_passes": True}


@pytest.fixture(autouse=True, scope="module")
def double_precision_in_pytorch():
    """Its NAdam keeps a running product in the default type."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Decay(NamedTuple):
    """What is taken from the weights besides the gradient's part."""

    decoupled: float = 0.0  # W -= alpha * decoupled * W
    coupled: float = 0.0  # dW += coupled * W, the lambda/m of L2


DECAYS = {"no decay": Decay(), "decoupled decay": Decay(decoupled=DECAY), "coupled L2": Decay(coupled=DECAY)}
CASES = [(name, decay) for name in OPTIMISERS for decay in DECAYS if (name, decay) != ("adam", "decoupled decay")]
each_case = pytest.mark.parametrize(("optimiser", "decay"), CASES, ids=map(", ".join, CASES))


# -- by hand: the direction from the gradient, the step (from 1) and what is kept (0 at first) ---------------------------------------
def gradient_descent(dw, t, kept):
    return dw


def momentum(dw, t, kept):
    kept["v"] = BETA1 * kept["v"] + (1 - BETA1) * dw
    return kept["v"]


def classical_momentum(dw, t, kept):
    kept["v"] = BETA1 * kept["v"] + dw
    return kept["v"]


def nesterov(dw, t, kept):
    return BETA1 * momentum(dw, t, kept) + (1 - BETA1) * dw


def squares(dw, kept):
    kept["s"] = BETA2 * kept["s"] + (1 - BETA2) * dw**2
    return kept["s"]


def rmsprop(dw, t, kept):
    return dw / (np.sqrt(squares(dw, kept)) + EPSILON)


def adagrad(dw, t, kept):
    kept["s"] = kept["s"] + dw**2
    return dw / (np.sqrt(kept["s"]) + EPSILON)


def adam(dw, t, kept):
    return momentum(dw, t, kept) / (1 - BETA1**t) / (np.sqrt(squares(dw, kept) / (1 - BETA2**t)) + EPSILON)


def nadam(dw, t, kept):
    ahead = BETA1 * momentum(dw, t, kept) / (1 - BETA1 ** (t + 1)) + (1 - BETA1) * dw / (1 - BETA1**t)
    return ahead / (np.sqrt(squares(dw, kept) / (1 - BETA2**t)) + EPSILON)


def amsgrad(dw, t, kept):
    kept["highest"] = np.maximum(kept["highest"], squares(dw, kept))
    return momentum(dw, t, kept) / (1 - BETA1**t) / (np.sqrt(kept["highest"] / (1 - BETA2**t)) + EPSILON)


def lion(dw, t, kept):
    direction = np.sign(BETA1 * kept["v"] + (1 - BETA1) * dw)
    kept["v"] = BETA2 * kept["v"] + (1 - BETA2) * dw
    return direction


def muon(dw, t, kept):
    """By the singular value decomposition; a vector as nadam."""
    if dw.ndim == 1:
        return nadam(dw, t, kept)
    ahead = BETA1 * momentum(dw, t, kept) / (1 - BETA1 ** (t + 1)) + (1 - BETA1) * dw / (1 - BETA1**t)
    left, values, right = np.linalg.svd(ahead, full_matrices=False)
    values = values / np.linalg.norm(values)
    for a, b, c in ROUGH:
        values = a * values + b * values**3 + c * values**5
    return 0.2 * np.sqrt(max(dw.shape)) * left * values @ right


BY_HAND = {
    "gradient_descent": gradient_descent, "momentum": momentum, "classical_momentum": classical_momentum, "nesterov": nesterov,
    "rmsprop": rmsprop, "adagrad": adagrad, "adam": adam, "adamw": adam, "nadam": nadam, "amsgrad": amsgrad, "lion": lion,
    "muon": muon,
}  # fmt: skip


def moved_by_hand(direction, decay):
    moved = {}
    for name, w in START.items():
        kept, share = defaultdict(float), Decay(*decay) if MASK[name] else Decay()
        for t, gradient in enumerate(GRADIENTS, 1):
            d = direction(gradient[name] + share.coupled * w, t, kept)
            w = w - ALPHA * share.decoupled * w - ALPHA * d
        moved[name] = w
    return moved


# -- optax: the chain, and the epsilon for which it has our form -----------------------------------------------------------------------
def as_matrices(updates):
    return jax.tree.map(lambda _: optax.contrib.MuonDimensionNumbers(), updates)


OPTAX = {
    "gradient_descent": (optax.identity(), EPSILON),
    "momentum": (optax.ema(BETA1, debias=False), EPSILON),
    "classical_momentum": (optax.trace(BETA1), EPSILON),
    "nesterov": (optax.chain(optax.trace(BETA1, nesterov=True), optax.scale(1 - BETA1)), EPSILON),
    "rmsprop": (optax.scale_by_rms(BETA2, EPSILON, initial_scale=0.0, eps_in_sqrt=False), EPSILON),
    "adagrad": (optax.scale_by_rss(initial_accumulator_value=0.0, eps=NEGLIGIBLE), NEGLIGIBLE),
    "adam": (optax.scale_by_adam(BETA1, BETA2, EPSILON), EPSILON),
    "adamw": (optax.scale_by_adam(BETA1, BETA2, EPSILON), EPSILON),
    "nadam": (optax.scale_by_adam(BETA1, BETA2, EPSILON, nesterov=True), EPSILON),
    "amsgrad": (
        optax.chain(
            optax.scale_by_amsgrad(BETA1, BETA2, NEGLIGIBLE, bias_correction_nu=False),
            optax.scale_by_schedule(lambda count: jnp.sqrt(1 - BETA2 ** (count + 1.0))),
        ),
        NEGLIGIBLE,
    ),
    "lion": (optax.scale_by_lion(BETA1, BETA2), EPSILON),
    "muon": (
        optax.partition(
            {
                "muon": optax.chain(
                    optax.contrib.scale_by_muon(ROUGH, 3, BETA1, NEGLIGIBLE, weight_dimension_numbers=as_matrices),
                    optax.scale(0.2 * 5**0.5),
                ),
                "nadam": optax.scale_by_adam(BETA1, BETA2, EPSILON, nesterov=True),
            },
            {"w": "muon", "b": "nadam"},
        ),
        EPSILON,
    ),
}


def moved_by_optax(chain):
    # Without jit, which would take longer to compile all chains than they take to run.
    moved, state = START, chain.init(START)
    for gradient in GRADIENTS:
        change, state = chain.update(gradient, state, moved)
        moved = optax.apply_updates(moved, change)
    return moved


# -- PyTorch: no lion, and its muon rounds to bfloat16; decoupled decay is its own where it has it, and otherwise done before the step ----
ADAM = {"lr": ALPHA, "betas": (BETA1, BETA2), "eps": EPSILON}
TORCH = {
    "gradient_descent": (torch.optim.SGD, {"lr": ALPHA}),
    "momentum": (torch.optim.SGD, {"lr": ALPHA * (1 - BETA1), "momentum": BETA1}),
    "classical_momentum": (torch.optim.SGD, {"lr": ALPHA, "momentum": BETA1}),
    "nesterov": (torch.optim.SGD, {"lr": ALPHA * (1 - BETA1), "momentum": BETA1, "nesterov": True}),
    "rmsprop": (torch.optim.RMSprop, {"lr": ALPHA, "alpha": BETA2, "eps": EPSILON}),
    "adagrad": (torch.optim.Adagrad, {"lr": ALPHA, "eps": EPSILON}),
    "adam": (torch.optim.Adam, ADAM),
    "adamw": (torch.optim.Adam, ADAM),
    "nadam": (torch.optim.NAdam, ADAM | {"momentum_decay": 1e6}),
    "amsgrad": (torch.optim.Adam, ADAM | {"amsgrad": True}),
}
DECOUPLED_IN_TORCH = {
    "adamw": (torch.optim.AdamW, ADAM),
    "nadam": (torch.optim.NAdam, ADAM | {"momentum_decay": 1e6, "decoupled_weight_decay": True}),
    "amsgrad": (torch.optim.AdamW, ADAM | {"amsgrad": True}),
}


def moved_by_torch(optimiser, decay, gradients=GRADIENTS, clip=lambda tensors: None):
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in START.items()}
    own_decay, shrink = decay.coupled, 1 - ALPHA * decay.decoupled
    make, settings = TORCH[optimiser]
    if decay.decoupled and optimiser in DECOUPLED_IN_TORCH:
        (make, settings), own_decay, shrink = DECOUPLED_IN_TORCH[optimiser], decay.decoupled, 1.0
    groups = [{"params": [tensors["w"]], "weight_decay": own_decay}, {"params": [tensors["b"]], "weight_decay": 0.0}]
    optimiser = make(groups, **settings)
    for gradient in gradients:
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(gradient[name])
        clip(list(tensors.values()))
        with torch.no_grad():
            tensors["w"] *= shrink
        optimiser.step()
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


# -- ours ------------------------------------------------------------------------------------------------------------------------------
def one_after_another(numbers, coupled, gradients, used, rates=ONCE):
    """The parameters after shoal's update with each of the gradients, which are arrays with a leading axis of steps."""

    def step(carry, now):
        parameters, moments = carry
        age, gradient = now
        gradient = gradient | {"w": gradient["w"] + coupled * parameters["w"]}  # as ``training.gradient`` adds L2
        if "clip_norm" in used:
            gradient = optimisers.clip_by_norm(gradient, optimisers.global_norm(gradient), numbers.clip_norm)
        return optimisers.update(parameters, gradient, moments, MASK, rates, numbers.learning_rate, age, numbers, used, SIDES), None

    parameters = jax.tree.map(jnp.asarray, START)
    ages = jnp.arange(len(gradients["w"]), dtype=jnp.int32)
    (parameters, _), _ = jax.lax.scan(step, (parameters, optimisers.start(parameters, used)), (ages, gradients))
    return parameters


def in_steps(gradients):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *gradients)


alone = jax.jit(one_after_another, static_argnames="used", compiler_options=QUICKLY)


@pytest.fixture(scope="module")
def moved(exact):
    """The parameters after all steps of a program that holds what the recipe uses and nothing else."""

    def run(optimiser, decay=DECAYS["no decay"], gradients=GRADIENTS, **settings):
        recipe = replace(SETTINGS, optimiser=optimiser, weight_decay=decay.decoupled, **settings)
        numbers = jax.tree.map(jnp.asarray, exact(recipe))
        return jax.tree.map(np.asarray, alone(numbers, decay.coupled, in_steps(gradients), recipe.techniques))

    return run


def assert_same(ours, expected, tolerance=1e-10):
    for name in START:
        difference = np.linalg.norm(np.asarray(ours[name]) - np.asarray(expected[name]))
        assert difference < tolerance * np.linalg.norm(np.asarray(expected[name]) - START[name]), name


@each_case
def test_the_update_is_its_formula_written_out_in_numpy(float64, moved, optimiser, decay):
    assert_same(moved(optimiser, DECAYS[decay]), moved_by_hand(BY_HAND[optimiser], DECAYS[decay]))


@each_case
def test_the_update_is_optax(float64, moved, optimiser, decay):
    direction, epsilon = OPTAX[optimiser]
    coupled, decoupled = (optax.add_decayed_weights(part, MASK) for part in (DECAYS[decay].coupled, DECAYS[decay].decoupled))
    expected = moved_by_optax(optax.chain(coupled, direction, decoupled, optax.scale_by_learning_rate(ALPHA)))
    assert_same(moved(optimiser, DECAYS[decay], epsilon=epsilon), expected)


@pytest.mark.parametrize("optimiser", sorted(OPTIMISERS))
def test_an_array_with_a_rate_of_its_own_moves_as_at_so_many_times_the_learning_rate(float64, exact, optimiser):
    recipe = replace(SETTINGS, optimiser=optimiser, weight_decay=0.0)
    numbers = jax.tree.map(jnp.asarray, exact(recipe))
    fast = alone(numbers._replace(learning_rate=3 * numbers.learning_rate), 0.0, in_steps(GRADIENTS), recipe.techniques)
    both = alone(numbers, 0.0, in_steps(GRADIENTS), recipe.techniques, {"w": 1.0, "b": 3.0})
    usual = alone(numbers, 0.0, in_steps(GRADIENTS), recipe.techniques)
    np.testing.assert_allclose(both["b"], fast["b"], rtol=1e-12)
    np.testing.assert_array_equal(both["w"], usual["w"])


@pytest.mark.parametrize(("optimiser", "decay"), [case for case in CASES if case[0] in TORCH])
def test_the_update_is_pytorchs(float64, moved, optimiser, decay):
    assert_same(moved(optimiser, DECAYS[decay]), moved_by_torch(optimiser, DECAYS[decay]))


@pytest.mark.parametrize(
    ("optimiser", "ready_made"),
    [
        ("adamw", optax.adamw(ALPHA, BETA1, BETA2, EPSILON, weight_decay=DECAY, mask=MASK)),
        ("nadam", optax.nadamw(ALPHA, BETA1, BETA2, EPSILON, weight_decay=DECAY, mask=MASK)),
        ("lion", optax.lion(ALPHA, BETA1, BETA2, weight_decay=DECAY, mask=MASK)),
        (
            "muon",
            optax.contrib.muon(
                ALPHA,
                ROUGH,
                3,
                BETA1,
                NEGLIGIBLE,
                DECAY,
                MASK,
                consistent_rms=0.2,
                adam_b1=BETA1,
                adam_b2=BETA2,
            ),
        ),
    ],
)
def test_the_ready_made_optimisers_of_optax_with_decoupled_decay_are_ours(float64, moved, optimiser, ready_made):
    epsilon = NEGLIGIBLE if optimiser == "muon" else EPSILON  # optax adds muon's to the norm, too
    assert_same(moved(optimiser, Decay(decoupled=DECAY), epsilon=epsilon), moved_by_optax(ready_made))


def test_all_optimisers_with_every_decay_share_one_program(float64, moved, exact):
    """What another network of the shoal uses changes nothing for those that do not."""
    recipes = [replace(SETTINGS, optimiser=name, weight_decay=DECAYS[decay].decoupled) for name, decay in CASES]
    coupled = jnp.array([DECAYS[decay].coupled for _, decay in CASES])
    used = techniques_of(recipes)
    assert {"accumulate", "first_moment", "maximum", "nesterov", "orthogonalised", "second_moment", "sign", "weight_decay"} == set(used)
    over_networks = jax.jit(jax.vmap(one_after_another, (0, 0, None, None)), static_argnums=3, compiler_options=QUICKLY)
    together = over_networks(stack([exact(recipe) for recipe in recipes]), coupled, in_steps(GRADIENTS), used)
    for position, (name, decay) in enumerate(CASES):
        own = jax.tree.map(lambda leaf, position=position: leaf[position], together)
        assert_same(own, moved(name, DECAYS[decay]), 1e-12)


# -- what is not the same ------------------------------------------------------------------------------------------------------------
def relative_difference(one, other):
    return np.linalg.norm(one["w"] - other["w"]) / np.linalg.norm(other["w"] - START["w"])


def test_for_descent_decoupled_decay_is_coupled_decay_and_for_adam_it_is_not(float64, moved):
    decoupled, coupled = Decay(decoupled=DECAY), Decay(coupled=DECAY)
    assert_same(moved("gradient_descent", decoupled), moved_by_torch("gradient_descent", coupled))
    assert relative_difference(moved("adamw", decoupled), moved_by_torch("adamw", coupled)) > 1e-2


def test_averaged_and_classical_momentum_are_one_with_learning_rates_that_differ_by_the_factor_1_minus_beta(float64, moved):
    assert_same(moved("classical_momentum", learning_rate=ALPHA * (1 - BETA1)), moved("momentum"))
    assert relative_difference(moved("classical_momentum"), moved("momentum")) > 1


def test_optax_amsgrad_takes_the_maximum_of_the_corrected_moment_and_so_differs_unless_there_is_nothing_to_correct(float64, moved):
    differs = moved_by_optax(optax.amsgrad(ALPHA, BETA1, BETA2, EPSILON))
    assert relative_difference(moved("amsgrad"), differs) > 1e-2
    assert_same(moved("amsgrad", beta2=0.0), moved_by_optax(optax.amsgrad(ALPHA, BETA1, 0.0, EPSILON)))


def test_pytorchs_nadam_with_its_default_schedule_of_beta1_differs(float64, moved):
    rising = torch.optim.NAdam, ADAM
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TORCH, "nadam", rising)
        assert relative_difference(moved("nadam"), moved_by_torch("nadam", Decay())) > 1e-2


def test_the_first_step_of_adam_is_alpha_whatever_the_size_of_the_gradient(float64, moved):
    for scale in (1e-4, 1e4):
        ours = moved("adamw", gradients=[{name: scale * g for name, g in GRADIENTS[0].items()}], epsilon=1e-12)
        np.testing.assert_allclose(np.abs(ours["w"] - START["w"]), ALPHA, rtol=1e-6)


def test_every_step_of_lion_is_alpha(float64, moved):
    for steps in range(1, 4):
        whole = np.abs(moved("lion", gradients=GRADIENTS[:steps])["w"] - START["w"]) / ALPHA
        np.testing.assert_allclose(whole, whole.round(), atol=1e-9)
        assert (whole.round() % 2 == steps % 2).all()


# -- clipping --------------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("size", "is_clipped"), [(1.0, True), (0.1, False)])
def test_clipping_to_a_norm_is_optax_and_pytorch_and_leaves_shorter_gradients_alone(float64, size, is_clipped):
    """To the norm exactly, as in optax; PyTorch adds 1e-6 to the norm that it divides by."""
    gradient = {name: jnp.asarray(size * g) for name, g in GRADIENTS[0].items()}
    norm = optimisers.global_norm(gradient)
    assert float(norm) == pytest.approx(np.sqrt(sum((np.asarray(g) ** 2).sum() for g in gradient.values())), rel=1e-12)
    ours = optimisers.clip_by_norm(gradient, norm, jnp.asarray(CLIP))
    assert float(optimisers.global_norm(ours)) == pytest.approx(CLIP if is_clipped else float(norm), rel=1e-12)
    clipping = optax.clip_by_global_norm(CLIP)
    by_optax, _ = clipping.update(gradient, clipping.init(gradient))
    tensors = {name: torch.zeros(g.shape, dtype=torch.float64, requires_grad=True) for name, g in gradient.items()}
    for name, tensor in tensors.items():
        tensor.grad = torch.tensor(np.asarray(gradient[name]))
    torch.nn.utils.clip_grad_norm_(tensors.values(), CLIP)
    for name in gradient:
        np.testing.assert_allclose(ours[name], np.asarray(by_optax[name]), rtol=1e-12)  # type: ignore[index]
        np.testing.assert_allclose(ours[name], np.asarray(tensors[name].grad), rtol=1e-12 + (1e-6 / float(norm)) * is_clipped)


def test_clipping_of_each_entry_is_pytorchs(float64):
    tensor = torch.zeros(START["w"].shape, dtype=torch.float64, requires_grad=True)
    tensor.grad = torch.tensor(GRADIENTS[0]["w"])
    torch.nn.utils.clip_grad_value_([tensor], 0.7)
    ours = optimisers.clip_by_value({"w": jnp.asarray(GRADIENTS[0]["w"])}, jnp.asarray(0.7))["w"]
    np.testing.assert_array_equal(ours, tensor.grad)
    assert 3 < (np.abs(ours) == 0.7).sum() < 17
    none = optimisers.clip_by_value({"w": jnp.asarray(GRADIENTS[0]["w"])}, jnp.asarray(jnp.inf))["w"]
    np.testing.assert_array_equal(none, GRADIENTS[0]["w"])


@pytest.mark.parametrize("optimiser", [name for name in OPTIMISERS if name in TORCH])
def test_clipped_steps_are_pytorchs_on_the_clipped_gradients(float64, moved, optimiser):
    def clip(tensors):
        norm = torch.linalg.vector_norm(torch.cat([tensor.grad.ravel() for tensor in tensors]))
        for tensor in tensors:
            tensor.grad *= min(1.0, CLIP / norm)

    assert_same(moved(optimiser, clip_norm=CLIP), moved_by_torch(optimiser, Decay(), clip=clip))


def test_a_gradient_of_0_and_no_clip_norm_stay_finite():
    zero = {"w": jnp.zeros((2, 2))}
    for clip_norm in (jnp.inf, 1.0):
        clipped = optimisers.clip_by_norm(zero, optimisers.global_norm(zero), jnp.float32(clip_norm))
        np.testing.assert_array_equal(clipped["w"], 0)


# -- L1 and max-norm -------------------------------------------------------------------------------------------------------------------
def test_shrinking_is_the_closed_form_and_minimises_the_penalised_distance(float64):
    """The proximal step of ``amount |x|`` is ``argmin (x - w)^2 / 2 + amount |x|``: found by SciPy for each weight."""
    w = START["w"]
    ours = np.asarray(optimisers.shrink_towards_zero(jnp.asarray(w), jnp.asarray(0.4)))
    np.testing.assert_allclose(ours, np.where(w > 0.4, w - 0.4, np.where(w < -0.4, w + 0.4, 0)), rtol=1e-12)
    for weight, moved in zip(w.ravel(), ours.ravel(), strict=True):
        found = scipy.optimize.minimize_scalar(lambda x, weight=weight: (x - weight) ** 2 / 2 + 0.4 * abs(x), bounds=(-5, 5))
        assert moved == pytest.approx(found.x, abs=1e-4)  # type: ignore[attr-defined]
    assert 0 < (ours == 0).sum() < ours.size
    np.testing.assert_array_equal(optimisers.shrink_towards_zero(jnp.asarray(w), jnp.asarray(0.0)), w)


def test_max_norm_is_pytorchs_renorm_of_the_weights_into_each_unit(float64):
    """PyTorch adds 1e-7 to the norm that it divides by; ours is exact."""
    w = START["w"] * [0.1, 1, 1, 3]
    ours = np.asarray(optimisers.limit_norms(jnp.asarray(w), jnp.asarray(1.2)))
    np.testing.assert_allclose(ours, torch.renorm(torch.tensor(w), p=2, dim=1, maxnorm=1.2), rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=0), np.minimum(np.linalg.norm(w, axis=0), 1.2), rtol=1e-12)
    assert 0 < (np.linalg.norm(w, axis=0) < 1.2).sum() < 4


def test_units_without_weights_and_no_max_norm_stay_as_they_are():
    w = jnp.concatenate([jnp.zeros((3, 2)), jnp.ones((3, 1))], 1)
    np.testing.assert_array_equal(optimisers.limit_norms(w, jnp.float32(jnp.inf)), w)
    np.testing.assert_array_equal(optimisers.limit_norms(w, jnp.float32(1.0))[:, :2], 0)
