"""Learning rates against closed forms, the course's table and optax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from shoal.recipe import Recipe
from shoal.schedules import learning_rate

EPOCHS = np.linspace(0, 40, 81)


def series(kind, epoch=EPOCHS, steps_per_epoch=10.0, plateau=1.0, **settings):
    settings = {"learning_rate": 0.2, "epochs": 40.0} | settings
    numbers = Recipe(decay=kind, **settings).numbers(0)
    numbers = jax.tree.map(lambda value: value.astype(float) if np.issubdtype(value.dtype, np.floating) else value, numbers)
    numbers = numbers._replace(**{name: np.asarray(value, float) for name, value in settings.items()})
    ages = np.round(np.asarray(epoch) * steps_per_epoch)
    return np.array(learning_rate(numbers, jnp.asarray(ages), jnp.asarray(steps_per_epoch), plateau))


def test_inverse_time_decay_gives_the_courses_table(float64):
    table = series("inverse_time", np.arange(5.0))
    np.testing.assert_allclose(table, [0.2, 0.1, 0.2 / 3, 0.05, 0.04], rtol=1e-12)
    np.testing.assert_array_equal(table.round(3), [0.2, 0.1, 0.067, 0.05, 0.04])


def test_inverse_time_decay_with_another_rate(float64):
    np.testing.assert_allclose(series("inverse_time", learning_rate=0.3, decay_rate=0.25), 0.3 / (1 + EPOCHS / 4), rtol=1e-12)


def test_cosine_decay_is_optax_cosine_decay_schedule(float64):
    expected = optax.cosine_decay_schedule(0.2, 40)(EPOCHS)
    np.testing.assert_allclose(series("cosine"), expected, rtol=1e-12, atol=1e-15)


def test_cosine_decay_starts_at_alpha_is_half_way_at_half_time_and_stays_at_0_after_the_end(float64):
    np.testing.assert_allclose(series("cosine", epoch=np.array([0.0, 20, 40, 41, 80])), [0.2, 0.1, 0, 0, 0], atol=1e-15)


def test_constant_is_constant():
    np.testing.assert_array_equal(series("constant"), np.float32(0.2))


