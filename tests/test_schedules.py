"""Every schedule through the same checks: against closed forms in NumPy, optax and PyTorch, and the course's tables.

Where the libraries differ: a warm-up of ``W`` steps starts at ``1/W`` of the schedule's first value and is there in its last step
(optax's ready-made ones start at 0 and so are one step behind); ``one_cycle`` is at its peak after 30 % of the steps and at its end
after all of them, as in optax (PyTorch counts one step less for both). The learning rate of ``plateau`` is followed where the scores
are, with the training.
"""

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from shoal.recipe import DECAYS, Recipe, stack
from shoal.schedules import learning_rate

ALPHA, STEPS_PER_EPOCH, EPOCHS, WARM_UP = 0.2, 10, 40, 4
RATE, FACTOR, STAIR = 0.7, 0.9, 3
STEPS, WARM_UP_STEPS = EPOCHS * STEPS_PER_EPOCH, WARM_UP * STEPS_PER_EPOCH
AGES = np.arange(STEPS + 60)  # beyond the end, too
REDUCED = 0.25  # what plateaus have left of the learning rate
BASE = Recipe(
    (4,), learning_rate=ALPHA, epochs=float(EPOCHS), decay_rate=RATE, decay_factor=FACTOR, decay_epochs=float(STAIR), warm_up=0.0
)  # fmt: skip
each_kind = pytest.mark.parametrize("kind", DECAYS)
each_warm_up = pytest.mark.parametrize("warm_up", [0, WARM_UP], ids=["no warm-up", "warm-up"])


@functools.partial(jax.jit, static_argnums=2)
def rates(numbers, ages, steps_per_epoch):
    """Learning rates ``[networks, ages]`` of a shoal of networks, each with a schedule of its own."""
    of_one = functools.partial(learning_rate, steps_per_epoch=jnp.asarray(float(steps_per_epoch)), plateau=REDUCED)
    return jax.vmap(lambda one: jax.vmap(lambda age: of_one(one, age))(ages))(numbers)


@pytest.fixture(scope="module")
def series(exact):
    """The learning rate at each age, by kind and epochs of warm-up: one program for them all."""
    cases = [(kind, warm_up) for kind in DECAYS for warm_up in (0, WARM_UP)]
    with jax.enable_x64(True):
        numbers = stack([exact(replace(BASE, decay=kind, warm_up=float(warm_up))) for kind, warm_up in cases])
        table = np.asarray(rates(numbers, jnp.asarray(AGES), STEPS_PER_EPOCH))
    return dict(zip(cases, table, strict=True))


def alone(exact, ages, steps_per_epoch=STEPS_PER_EPOCH, **settings):
    return np.asarray(rates(stack([exact(replace(BASE, **settings))]), jnp.asarray(ages), steps_per_epoch))[0]


def half_cosine(start, end, p):
    return end + (start - end) * (1 + np.cos(np.pi * np.clip(p, 0, 1))) / 2


BY_HAND = {
    "constant": lambda e, p: np.ones_like(e),
    "inverse_time": lambda e, p: 1 / (1 + RATE * e),
    "exponential": lambda e, p: FACTOR**e,
    "sqrt_epoch": lambda e, p: RATE / np.sqrt(1 + e),
    "sqrt_step": lambda e, p: RATE / np.sqrt(1 + e * STEPS_PER_EPOCH),
    "staircase": lambda e, p: FACTOR ** (np.round(e * STEPS_PER_EPOCH) // (STAIR * STEPS_PER_EPOCH)),
    "linear": lambda e, p: 1 - p,
    "cosine": lambda e, p: half_cosine(1, 0, p),
    "one_cycle": lambda e, p: np.where(p < 0.3, half_cosine(1 / 25, 1, p / 0.3), half_cosine(1, 1 / 25 / 1e4, (p - 0.3) / 0.7)),
    "plateau": lambda e, p: np.full_like(e, REDUCED),
}


@each_warm_up
@each_kind
def test_a_schedule_is_its_closed_form_before_and_after_the_end(series, kind, warm_up):
    e = np.maximum(AGES / STEPS_PER_EPOCH - warm_up, 0)
    rise = np.minimum((AGES + 1) / max(warm_up * STEPS_PER_EPOCH, 1), 1)
    expected = ALPHA * rise * BY_HAND[kind](e, np.minimum(e / (EPOCHS - warm_up), 1))
    np.testing.assert_allclose(series[kind, warm_up], expected, rtol=1e-12, atol=1e-17)


OPTAX = {
    "constant": lambda steps: optax.constant_schedule(ALPHA),
    "exponential": lambda steps: optax.exponential_decay(ALPHA, STEPS_PER_EPOCH, FACTOR),
    "staircase": lambda steps: optax.exponential_decay(ALPHA, STAIR * STEPS_PER_EPOCH, FACTOR, staircase=True),
    "linear": lambda steps: optax.linear_schedule(ALPHA, 0.0, steps),
    "cosine": lambda steps: optax.cosine_decay_schedule(ALPHA, steps),
    "one_cycle": lambda steps: optax.cosine_onecycle_schedule(steps, ALPHA),
}


@each_warm_up
@pytest.mark.parametrize("kind", OPTAX)
def test_a_schedule_is_optax_joined_to_a_warm_up(float64, series, kind, warm_up):
    schedule = OPTAX[kind](STEPS - warm_up * STEPS_PER_EPOCH)
    if warm_up:
        first = schedule(0)  # alpha/25 of one_cycle
        rise = optax.linear_schedule(first / WARM_UP_STEPS, first, WARM_UP_STEPS - 1)
        schedule = optax.join_schedules([rise, schedule], [WARM_UP_STEPS])
    np.testing.assert_allclose(series[kind, warm_up], jax.vmap(schedule)(jnp.asarray(AGES)), rtol=1e-10, atol=1e-15)


SCHEDULERS = torch.optim.lr_scheduler
TORCH = {
    "constant": lambda optimiser, steps: SCHEDULERS.ConstantLR(optimiser, 1.0),
    "exponential": lambda optimiser, steps: SCHEDULERS.ExponentialLR(optimiser, FACTOR ** (1 / STEPS_PER_EPOCH)),
    "staircase": lambda optimiser, steps: SCHEDULERS.StepLR(optimiser, STAIR * STEPS_PER_EPOCH, FACTOR),
    "linear": lambda optimiser, steps: SCHEDULERS.PolynomialLR(optimiser, steps, power=1.0),
    "cosine": lambda optimiser, steps: SCHEDULERS.CosineAnnealingLR(optimiser, steps),
    # PyTorch's peak is at step pct_start * total - 1 and its end at total - 1
    "one_cycle": lambda optimiser, steps: SCHEDULERS.OneCycleLR(
        optimiser, ALPHA, steps + 1, pct_start=(0.3 * steps + 1) / (steps + 1), cycle_momentum=False
    ),
}


def torch_series(make, steps):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], ALPHA)
    scheduler, rates = make(optimiser), []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return np.array(rates)


@each_warm_up
@pytest.mark.parametrize("kind", TORCH)
def test_a_schedule_is_pytorchs_up_to_the_end(series, kind, warm_up):
    """PyTorch's linear warm-up and its schedule in turn; beyond the end some of PyTorch's begin again."""
    before = WARM_UP_STEPS if warm_up else 0
    expected = torch_series(lambda optimiser: TORCH[kind](optimiser, STEPS - before), STEPS - before)
    if warm_up:
        rise = torch_series(lambda optimiser: SCHEDULERS.LinearLR(optimiser, 1 / WARM_UP_STEPS, 1.0, WARM_UP_STEPS - 1), WARM_UP_STEPS)
        expected = np.concatenate([rise * expected[0] / ALPHA, expected])
    np.testing.assert_allclose(series[kind, warm_up][:STEPS], expected, rtol=1e-10, atol=1e-15)


def test_optax_ready_made_warm_up_is_one_step_behind_and_its_decay_is_ours(float64, series):
    ready_made = np.asarray(jax.vmap(optax.warmup_cosine_decay_schedule(0.0, ALPHA, WARM_UP_STEPS, STEPS))(jnp.asarray(AGES)))
    ours = series["cosine", WARM_UP]
    np.testing.assert_allclose(ours[: WARM_UP_STEPS - 1], ready_made[1:WARM_UP_STEPS], rtol=1e-10)
    np.testing.assert_allclose(ours[WARM_UP_STEPS:], ready_made[WARM_UP_STEPS:], rtol=1e-10, atol=1e-15)


def test_pytorchs_one_cycle_of_as_many_steps_is_at_its_peak_a_step_earlier(series):
    ready_made = torch_series(lambda optimiser: SCHEDULERS.OneCycleLR(optimiser, ALPHA, STEPS, cycle_momentum=False), STEPS)
    assert ready_made.argmax() == 119 and series["one_cycle", 0].argmax() == 120
    np.testing.assert_allclose(series["one_cycle", 0][:STEPS], ready_made, rtol=0.1, atol=1e-4)


@pytest.mark.parametrize("alpha", [ALPHA, 0.3])
def test_inverse_time_decay_gives_the_courses_table(float64, exact, alpha):
    table = alone(exact, np.arange(5) * STEPS_PER_EPOCH, decay="inverse_time", decay_rate=1.0, learning_rate=alpha)
    np.testing.assert_allclose(table, alpha / np.arange(1, 6), rtol=1e-12)
    if alpha == 0.2:
        np.testing.assert_array_equal(table.round(3), [0.2, 0.1, 0.067, 0.05, 0.04])


def test_exponential_decay_is_the_courses_0_95_to_the_power_of_the_epoch(float64, exact):
    table = alone(exact, np.arange(6) * STEPS_PER_EPOCH, decay="exponential", decay_factor=0.95)
    np.testing.assert_allclose(table, 0.2 * np.array([1, 0.95, 0.9025, 0.857375, 0.81450625, 0.7737809375]), rtol=1e-12)


def test_the_square_roots_are_the_courses_with_epochs_and_steps_counted_from_1(float64, exact):
    by_epoch = alone(exact, np.array([0, 30, 80, 150]), decay="sqrt_epoch", decay_rate=2.0)
    np.testing.assert_allclose(by_epoch, 2 * 0.2 / np.sqrt([1, 4, 9, 16]), rtol=1e-12)
    by_step = alone(exact, np.array([0, 3, 8, 99]), decay="sqrt_step", decay_rate=2.0)
    np.testing.assert_allclose(by_step, 2 * 0.2 / np.array([1, 2, 3, 10]), rtol=1e-12)


def test_cosine_decay_starts_at_alpha_is_half_way_at_half_time_and_stays_at_0_after_the_end(series):
    np.testing.assert_allclose(series["cosine", 0][[0, STEPS // 2, STEPS, STEPS + 59]], [ALPHA, ALPHA / 2, 0, 0], atol=1e-15)


def test_stairs_begin_exactly_at_their_step_in_single_precision_also_where_their_length_has_no_exact_form(exact):
    ages = np.arange(7_000)
    for stair, steps_per_epoch in ((0.6, 25), (2.4, 45), (0.3, 50)):
        recipe = replace(BASE, decay="staircase", decay_epochs=stair, decay_factor=0.999, epochs=5_000.0)
        ours = np.asarray(rates(stack([recipe.numbers(0)]), jnp.asarray(ages, jnp.int32), steps_per_epoch))[0]
        length = round(stair * steps_per_epoch)
        falls = np.flatnonzero(np.diff(ours) < 0) + 1
        np.testing.assert_array_equal(falls, np.arange(length, 7_000, length))


@pytest.mark.parametrize("warm_up", [0.55, 0.04, 1.0])
def test_a_warm_up_of_a_part_of_an_epoch_rises_in_equal_steps_and_never_beyond_alpha(float64, exact, warm_up):
    rise = alone(exact, np.arange(20), decay="constant", warm_up=warm_up)
    np.testing.assert_allclose(rise, ALPHA * np.minimum(np.arange(1, 21) / max(10 * warm_up, 1), 1), rtol=1e-12)


@each_kind
def test_a_network_alone_has_the_learning_rate_it_has_in_a_shoal_of_all_kinds(float64, exact, series, kind):
    np.testing.assert_allclose(alone(exact, AGES, decay=kind, warm_up=float(WARM_UP)), series[kind, WARM_UP], rtol=1e-14)
