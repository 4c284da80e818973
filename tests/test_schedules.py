"""Learning rates against closed forms, the course's table and optax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from shoal.recipe import DECAYS
from shoal.schedules import learning_rate

EPOCHS = np.linspace(0, 40, 81)


def series(kind, alpha=0.2, decay_rate=1.0, epoch=EPOCHS, epochs=40.0):
    return np.array(
        learning_rate(jnp.int32(DECAYS.index(kind)), jnp.asarray(alpha), jnp.asarray(decay_rate), jnp.asarray(epoch), jnp.asarray(epochs))
    )


def test_inverse_time_decay_gives_the_courses_table(float64):
    table = series("inverse_time", 0.2, 1.0, np.arange(5.0))
    np.testing.assert_allclose(table, [0.2, 0.1, 0.2 / 3, 0.05, 0.04], rtol=1e-12)
    np.testing.assert_array_equal(table.round(3), [0.2, 0.1, 0.067, 0.05, 0.04])


def test_inverse_time_decay_with_another_rate(float64):
    np.testing.assert_allclose(series("inverse_time", 0.3, 0.25), 0.3 / (1 + EPOCHS / 4), rtol=1e-12)


def test_cosine_decay_is_optax_cosine_decay_schedule(float64):
    expected = optax.cosine_decay_schedule(0.2, 40)(EPOCHS)
    np.testing.assert_allclose(series("cosine"), expected, rtol=1e-12, atol=1e-15)


def test_cosine_decay_starts_at_alpha_is_half_way_at_half_time_and_stays_at_0_after_the_end(float64):
    np.testing.assert_allclose(series("cosine", epoch=np.array([0.0, 20, 40, 41, 80])), [0.2, 0.1, 0, 0, 0], atol=1e-15)


def test_constant_is_constant():
    np.testing.assert_array_equal(series("constant"), np.float32(0.2))


@pytest.mark.parametrize("kind", DECAYS)
def test_no_schedule_ever_rises_or_exceeds_alpha(kind):
    rates = series(kind)
    assert rates[0] == np.float32(0.2) and (np.diff(rates) <= 0).all() and (rates >= 0).all()


def test_networks_of_one_shoal_decay_each_in_its_own_way():
    kinds, alphas, rates = jnp.arange(len(DECAYS)), jnp.array([0.1, 0.2, 0.3]), jnp.array([1.0, 2.0, 3.0])
    together = jax.vmap(learning_rate, (0, 0, 0, None, None))(kinds, alphas, rates, jnp.float32(7.0), jnp.float32(40.0))
    alone = [series(kind, float(alphas[i]), float(rates[i]), jnp.float32(7.0)) for i, kind in enumerate(DECAYS)]
    np.testing.assert_allclose(together, alone, rtol=1e-6)
