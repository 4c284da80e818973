"""The numbers that the course "Improving Deep Neural Networks" works out, by shoal's code; ``ELSEWHERE`` names those in other files."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal import noise
from shoal.losses import activate_output, loss_for
from shoal.nets import layers
from shoal.nets.network import Layout, outputs
from shoal.parameters import Range
from shoal.recipe import Recipe
from shoal.samplers.points import grid, sobol
from shoal.space import Family

ELSEWHERE = {
    "learning rates 0.2, 0.1, 0.067, 0.05, 0.04": "test_schedules.py::test_inverse_time_decay_gives_the_courses_table",
    "0.95^epoch": "test_schedules.py::test_exponential_decay_is_the_courses_0_95_to_the_power_of_the_epoch",
    "k/sqrt(epoch) and k/sqrt(t)": "test_schedules.py::test_the_square_roots_are_the_courses_with_epochs_and_steps_counted_from_1",
    "averages over 10, 50 and 2 values": "test_averages.py::test_spans_are_the_courses",
    "5,000 steps for 5,000,000 rows at 1,000 a batch": "test_population.py::test_five_million_rows_at_1000_a_batch_are_5000_steps",
    "softmax of (5, 2, -1, 3)": "test_losses.py::test_softmax_of_5_2_minus_1_3_is_the_courses",
    "nine tenths of uniform learning rates in 0.1 to 1": (
        "test_space.py::test_a_uniform_scale_would_spend_nine_tenths_of_its_draws_on_the_last_decade"
    ),
    "a quarter of logarithmic ones in each decade": "test_space.py::test_learning_rates_fall_evenly_on_the_decades",
    "half of the betas above 0.99": "test_space.py::test_half_the_draws_of_beta_from_0_9_to_0_999_exceed_0_99",
    "a tenth of them on a uniform or a reversed scale": (
        "test_space.py::test_a_uniform_scale_or_a_reversed_log_scale_would_exceed_0_99_in_about_a_tenth_of_the_draws"
    ),
    "every printed form that is wrong": "test_errata.py::test_the_page_is_what_its_source_measures",
}


@pytest.mark.parametrize("number", ELSEWHERE)
def test_a_number_that_is_checked_elsewhere_is_checked_there(number):
    file, name = ELSEWHERE[number].split("::")
    assert re.search(rf"^def {name}\(", (Path(__file__).parent / file).read_text(), re.MULTILINE)


def test_of_50_units_at_keep_prob_0_8_10_are_off_on_average_and_the_others_grow_by_a_quarter():
    """How many are off is binomial, with a standard deviation of ``sqrt(50 * 0.2 * 0.8)``."""
    draws = 4000
    a = np.asarray(layers.dropout(jnp.ones((draws, 50)), noise.bits(noise.stream(1), draws, 50), jnp.float32(0.8)))
    off = (a == 0).sum(1)
    deviation = np.sqrt(50 * 0.2 * 0.8)
    assert off.mean() == pytest.approx(10, abs=4 * deviation / np.sqrt(draws))
    assert off.std() == pytest.approx(deviation, rel=0.05)
    assert np.unique(a).tolist() == [0, 1.25]


@given(st.floats(0.3, 1.9), st.integers(0, 8))
def test_through_layers_of_c_times_the_identity_the_output_and_its_slope_are_c_to_the_power_of_l_minus_1(c, hidden_layers):
    """``y_hat = c^(L-1) W[L] x`` with linear activations: 0.5 vanishes and 1.5 explodes geometrically with depth."""
    recipe = Recipe((4,) * hidden_layers, "identity")
    layout = Layout(recipe.shape, 4, 4, 0, 2, "softmax", ())
    last = np.random.default_rng(0).normal(size=(4, 2))
    x = np.random.default_rng(1).normal(size=(3, 4))
    with jax.enable_x64(True):
        weights = [{"w": jnp.asarray(w), "b": jnp.zeros(w.shape[1])} for w in [c * np.eye(4)] * hidden_layers + [last]]

        def y_hat(x):
            return outputs(layout, tuple(weights), (), x, jnp.array(recipe.hidden_units, jnp.int32))

        np.testing.assert_allclose(y_hat(jnp.asarray(x)), c**hidden_layers * x @ last, rtol=1e-12)
        slope = jax.grad(lambda x: y_hat(x)[:, 0].sum())(jnp.asarray(x))
    np.testing.assert_allclose(slope, np.tile(c**hidden_layers * last[:, 0], (3, 1)), rtol=1e-12)


def test_cat_dog_tiger_and_none_of_them_are_4_outputs_whose_probabilities_sum_to_1():
    loss, count = loss_for("classification", len(("cat", "dog", "tiger", "none of them")))
    assert (loss, count) == ("softmax", 4)
    probability = np.asarray(activate_output(loss, jnp.array([[5.0, 2.0, -1.0, 3.0]])))
    assert probability.shape == (1, 4) and probability.argmax() == 0
    assert probability.sum() == pytest.approx(1, rel=1e-6)


def test_a_grid_of_5_by_5_tries_5_values_of_each_number_and_25_draws_try_25():
    ranges = (Range("learning_rate", 1e-4, 1.0, "log", ""), Range("epsilon", 1e-9, 1e-7, "log", ""))
    family = Family(Recipe(), 64, ranges)
    for points, values in ((grid(ranges, 25, seed=0), 5), (sobol(ranges, 25, seed=0), 25)):
        recipes = [family.at(point.tolist()) for point in points]
        assert len(set(recipes)) == 25
        assert len({recipe.learning_rate for recipe in recipes}) == len({recipe.epsilon for recipe in recipes}) == values


def test_adam_begins_with_the_courses_numbers():
    recipe = Recipe(optimiser="adam")
    assert (recipe.beta1, recipe.beta2, recipe.epsilon) == (0.9, 0.999, 1e-8)
