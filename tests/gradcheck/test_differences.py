"""The measured slopes: smooth functions of every scale, the noise of a cost, and kinks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from shoal.gradcheck import check_gradients
from shoal.gradcheck.differences import noise_of_cost
from shoal.gradcheck.point import Point, Subject

RNG = np.random.default_rng(4)

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


def test_the_step_is_in_proportion_to_a_large_parameter():
    check = check_gradients(*SMOOTH["large parameters"])
    assert (check.epsilon, check.refined) == (1e-5, 0)


@pytest.mark.parametrize("name", [name for name in SMOOTH if name != "at its minimum"])
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
    assert check.verdict == "look again" and len(check.kinks) == 3 and "Check at another point" in check.explanation


def test_a_jump_is_no_kink():
    """The slope of a straight-through estimator is not that of the rounded cost."""
    check = check_gradients(lambda w: np.sum(np.round(w)) + w[0], np.array([0.5, 0.2]), gradient=lambda w: np.array([2.0, 1.0]))
    assert check.verdict == "wrong" and check.kinks == ()


def test_the_step_can_be_chosen():
    check = check_gradients(lambda w: np.sum(w**3), np.ones(2), gradient=lambda w: 3 * w**2, epsilon=1e-4)
    assert check.epsilon == 1e-4 and check.ok
