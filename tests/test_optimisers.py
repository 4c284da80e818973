"""Every optimiser through the same checks, in double precision: against its formula in NumPy, against optax and against PyTorch.

Conventions: epsilon is added outside the square root. ``momentum`` is the course's average ``V = beta V + (1 - beta) dW``; the
classical form ``V = beta V + dW`` of PyTorch and optax is the same with a learning rate ``1 - beta`` times as large. RMSprop
starts from ``S = 0`` without bias correction, as PyTorch's does (optax starts from ``initial_scale``). Decoupled decay shrinks
by ``alpha * weight_decay``, as PyTorch's and optax's AdamW do. Clipping scales to the norm exactly (PyTorch adds 1e-6 to it).
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from shoal import optimisers
from shoal.recipe import Recipe, stack, techniques_of

ALPHA, BETA1, BETA2, EPSILON, DECAY, CLIP, STEPS = 0.02, 0.8, 0.95, 1e-3, 0.3, 1.5, 12
SETTINGS = Recipe((4,), optimiser="adamw", learning_rate=ALPHA, beta1=BETA1, beta2=BETA2, epsilon=EPSILON)
MASK = {"w": True, "b": False}

RNG = np.random.default_rng(3)
START = {"w": RNG.normal(size=(5, 4)), "b": RNG.normal(size=4)}
GRADIENTS = [{"w": RNG.normal(size=(5, 4)), "b": RNG.normal(size=4)} for _ in range(STEPS)]


def gradient_descent(w, gradients, decay):
    for dw in gradients:
        w = w - ALPHA * decay * w - ALPHA * dw
    return w


def momentum(w, gradients, decay):
    v = 0
    for dw in gradients:
        v = BETA1 * v + (1 - BETA1) * dw
        w = w - ALPHA * decay * w - ALPHA * v
    return w


def rmsprop(w, gradients, decay):
    s = 0
    for dw in gradients:
        s = BETA2 * s + (1 - BETA2) * dw**2
        w = w - ALPHA * decay * w - ALPHA * dw / (np.sqrt(s) + EPSILON)
    return w


def adam(w, gradients, decay):
    v = s = 0
    for t, dw in enumerate(gradients, 1):
        v = BETA1 * v + (1 - BETA1) * dw
        s = BETA2 * s + (1 - BETA2) * dw**2
        v_corrected, s_corrected = v / (1 - BETA1**t), s / (1 - BETA2**t)
        w = w - ALPHA * decay * w - ALPHA * v_corrected / (np.sqrt(s_corrected) + EPSILON)
    return w


BY_HAND = {"gradient_descent": gradient_descent, "momentum": momentum, "rmsprop": rmsprop, "adam": adam}
OPTAX = {
    "gradient_descent": optax.identity(),
    "momentum": optax.ema(BETA1, debias=False),
    "rmsprop": optax.scale_by_rms(BETA2, EPSILON, initial_scale=0.0, eps_in_sqrt=False),
    "adam": optax.scale_by_adam(BETA1, BETA2, EPSILON),
}
TORCH = {
    "gradient_descent": lambda w: torch.optim.SGD(w, ALPHA),
    "momentum": lambda w: torch.optim.SGD(w, ALPHA * (1 - BETA1), momentum=BETA1),
    "rmsprop": lambda w: torch.optim.RMSprop(w, ALPHA, alpha=BETA2, eps=EPSILON),
    "adam": lambda w: torch.optim.Adam(w, ALPHA, (BETA1, BETA2), EPSILON),
}
each_optimiser = pytest.mark.parametrize("optimiser", BY_HAND)


@pytest.fixture(scope="module")
def moved(exact):
    """The parameters after all steps of shoal's update."""

    def run(numbers, used, gradients=GRADIENTS, clip=False):
        parameters = jax.tree.map(jnp.asarray, START)
        moments = optimisers.start(parameters, used)
        for age, gradient in enumerate(gradients):
            gradient = jax.tree.map(jnp.asarray, gradient)
            if clip:
                gradient = optimisers.clip_by_norm(gradient, optimisers.global_norm(gradient), numbers.clip_norm)
            alpha = jnp.asarray(numbers.learning_rate)
            parameters, moments = optimisers.update(parameters, gradient, moments, MASK, alpha, jnp.int32(age), numbers, used)
        return parameters

    return lambda recipe, **options: run(exact(recipe), recipe.techniques, **options)


def assert_same(ours, expected, tolerance=1e-9):
    for name in START:
        difference = np.linalg.norm(np.asarray(ours[name]) - np.asarray(expected[name]))
        assert difference < tolerance * np.linalg.norm(np.asarray(expected[name]) - START[name]), name


@each_optimiser
@pytest.mark.parametrize("decay", [0.0, DECAY], ids=["no decay", "decoupled decay"])
def test_the_update_is_its_formula_written_out_in_numpy(float64, moved, optimiser, decay):
    ours = moved(replace(SETTINGS, optimiser=optimiser, weight_decay=decay))
    expected = {name: BY_HAND[optimiser](START[name], [g[name] for g in GRADIENTS], decay * MASK[name]) for name in START}
    assert_same(ours, expected)


@each_optimiser
@pytest.mark.parametrize("decay", [0.0, DECAY], ids=["no decay", "decoupled decay"])
def test_the_update_is_optax(float64, moved, optimiser, decay):
    chain = optax.chain(OPTAX[optimiser], optax.add_decayed_weights(decay, MASK), optax.scale_by_learning_rate(ALPHA))
    expected, state = START, chain.init(START)
    for gradient in GRADIENTS:
        step, state = chain.update(gradient, state, expected)
        expected = optax.apply_updates(expected, step)
    assert_same(moved(replace(SETTINGS, optimiser=optimiser, weight_decay=decay)), expected)


def test_adam_with_decoupled_decay_is_optax_adamw(float64, moved):
    adamw = optax.adamw(ALPHA, BETA1, BETA2, EPSILON, weight_decay=DECAY, mask=MASK)
    expected, state = START, adamw.init(START)
    for gradient in GRADIENTS:
        step, state = adamw.update(gradient, state, expected)
        expected = optax.apply_updates(expected, step)
    assert_same(moved(replace(SETTINGS, weight_decay=DECAY)), expected)


def torch_moved(make, gradients=GRADIENTS):
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in START.items()}
    optimiser = make(tensors)
    for gradient in gradients:
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(gradient[name])
        optimiser.step()
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


@each_optimiser
def test_the_update_is_pytorchs(float64, moved, optimiser):
    expected = torch_moved(lambda tensors: TORCH[optimiser](list(tensors.values())))
    assert_same(moved(replace(SETTINGS, optimiser=optimiser)), expected)


def test_adam_with_decoupled_decay_is_pytorchs_adamw_with_decay_on_the_weights_only(float64, moved):
    def adamw(tensors):
        groups = [{"params": [tensors["w"]], "weight_decay": DECAY}, {"params": [tensors["b"]], "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, ALPHA, (BETA1, BETA2), EPSILON)

    assert_same(moved(replace(SETTINGS, weight_decay=DECAY)), torch_moved(adamw))


def test_for_descent_decoupled_decay_is_coupled_decay_and_for_adam_it_is_not(float64, moved):
    def coupled(optimiser):
        return torch_moved(lambda tensors: optimiser([{"params": [tensors["w"]], "weight_decay": DECAY}, {"params": [tensors["b"]]}]))

    descent = coupled(lambda groups: torch.optim.SGD(groups, ALPHA))
    assert_same(moved(replace(SETTINGS, optimiser="gradient_descent", weight_decay=DECAY)), descent)
    with_adam = coupled(lambda groups: torch.optim.Adam(groups, ALPHA, (BETA1, BETA2), EPSILON))
    with pytest.raises(AssertionError):
        assert_same(moved(replace(SETTINGS, weight_decay=DECAY)), with_adam, 1e-3)


def test_clipping_is_optax_clip_by_global_norm_and_leaves_shorter_gradients_alone(float64, exact):
    clipping, numbers = optax.clip_by_global_norm(CLIP), exact(replace(SETTINGS, clip_norm=CLIP))
    for scale, is_clipped in ((1.0, True), (0.1, False)):
        gradient = jax.tree.map(lambda g, scale=scale: jnp.asarray(g * scale), GRADIENTS[0])
        norm = optimisers.global_norm(gradient)
        assert float(norm) == pytest.approx(np.sqrt(sum((g**2).sum() for g in jax.tree.leaves(gradient))), rel=1e-12)
        ours = optimisers.clip_by_norm(gradient, norm, numbers.clip_norm)
        expected, _ = clipping.update(gradient, clipping.init(gradient))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), ours, expected)
        assert float(optimisers.global_norm(ours)) == pytest.approx(CLIP if is_clipped else float(norm), rel=1e-12)


@each_optimiser
def test_clipped_steps_are_pytorchs_on_the_clipped_gradients(float64, moved, optimiser):
    def clipped(gradient):
        norm = np.sqrt(sum((g**2).sum() for g in gradient.values()))
        return {name: g * min(1, CLIP / norm) for name, g in gradient.items()}

    expected = torch_moved(lambda tensors: TORCH[optimiser](list(tensors.values())), [clipped(g) for g in GRADIENTS])
    assert_same(moved(replace(SETTINGS, optimiser=optimiser, clip_norm=CLIP), clip=True), expected)


def test_a_gradient_of_0_and_no_clip_norm_stay_finite():
    zero = {"w": jnp.zeros((2, 2))}
    for clip_norm in (jnp.inf, 1.0):
        clipped = optimisers.clip_by_norm(zero, optimisers.global_norm(zero), jnp.float32(clip_norm))
        np.testing.assert_array_equal(clipped["w"], 0)


def test_the_first_step_of_adam_is_alpha_whatever_the_size_of_the_gradient(float64, moved):
    recipe = replace(SETTINGS, epsilon=1e-12)
    for scale in (1e-4, 1e4):
        ours = moved(recipe, gradients=[{name: scale * g for name, g in GRADIENTS[0].items()}])
        np.testing.assert_allclose(np.abs(ours["w"] - START["w"]), ALPHA, rtol=1e-6)


def test_networks_with_different_optimisers_share_one_program(float64, moved, exact):
    recipes = [replace(SETTINGS, optimiser=name, weight_decay=DECAY) for name in BY_HAND]
    numbers = stack([exact(recipe) for recipe in recipes])
    many = jax.tree.map(lambda leaf: jnp.stack([jnp.asarray(leaf)] * len(recipes)), START)
    used = techniques_of(recipes)

    @jax.jit
    def all_steps(parameters, moments):
        def one(parameters, moments, numbers):
            for age, gradient in enumerate(GRADIENTS):
                alpha = numbers.learning_rate
                parameters, moments = optimisers.update(parameters, gradient, moments, MASK, alpha, jnp.int32(age), numbers, used)
            return parameters

        return jax.vmap(one)(parameters, moments, numbers)

    together = all_steps(many, optimisers.start(many, used))
    for position, recipe in enumerate(recipes):
        assert_same(jax.tree.map(lambda leaf, position=position: leaf[position], together), moved(recipe), 1e-12)
