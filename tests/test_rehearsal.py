"""How long a training is of use is found out from its beginning."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from shoal import rehearsal
from shoal.nets.network import Layout
from shoal.population import Shoal, Tables
from shoal.recipe import Recipe, techniques_of
from shoal.rehearsal import LONGER, LOOKED_AT, Look, expected_step, is_ahead, look_at, looks, measure_speed
from shoal.training import Batch

ROWS, COLUMNS, BATCH, EPOCH = 160, 8, 16, 10
RECIPE = Recipe((32,), batch_size=BATCH, epochs=80.0, learning_rate=0.01, optimiser="adam")
SEGMENTS = 10  # evaluations in the first look at 80 epochs


def part(rows, seed, learnable):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, COLUMNS)).astype(np.float32)
    target = (x.sum(1) > 0) if learnable else rng.random(rows) > 0.5
    return Batch(x, target.astype(np.int32), np.ones(rows, np.float32))


def shoal_of(learnable, slots=4):
    tables = Tables.load(part(ROWS, 0, learnable), part(400, 1, learnable))
    return Shoal(Layout(RECIPE.shape, 32, COLUMNS, 0, 1, "sigmoid", techniques_of([RECIPE])), slots, tables, seed=0)


@pytest.fixture(scope="module")
def noise():
    return shoal_of(False)


def test_where_networks_overfit_early_a_training_is_three_times_as_long_as_it_took_to_their_best(noise):
    numbers = noise.numbers([RECIPE] * 4, range(4))
    _, trace = noise.advance(noise.start(numbers), numbers, 0, EPOCH, SEGMENTS)
    best = (np.argmin(np.mean(trace.dev_loss, axis=1)) + 1) * EPOCH
    assert best < 0.5 * SEGMENTS * EPOCH
    wanted = max(100, LONGER * best)
    assert look_at(noise, RECIPE).epochs == math.ceil(wanted / EPOCH) < RECIPE.epochs


def test_where_the_dev_loss_still_falls_a_training_keeps_its_length():
    assert look_at(shoal_of(True), replace(RECIPE, learning_rate=0.001)).epochs == RECIPE.epochs


@pytest.fixture
def played(monkeypatch):
    """Makes networks whose dev losses ``[evaluations, networks]`` are given, and says how many evaluations were asked for."""

    def play(losses):
        seen = []

        def advance(self, state, numbers, begin, segment, segments):
            assert segment == EPOCH and begin == (seen[-1] * EPOCH if begin else 0)
            seen.append(begin // segment + segments)
            return state, SimpleNamespace(dev_loss=losses[begin // segment :][:segments])

        monkeypatch.setattr(rehearsal.Shoal, "advance", advance)
        return seen

    return play


def of_means(means, spread=0.01):
    """Four networks about these mean dev losses, whose differences scatter from one evaluation to another."""
    scatter = np.random.default_rng(0).normal(size=(len(means), 4))
    return np.array(means)[:, None] + spread * (scatter - scatter.mean(1, keepdims=True))


def test_a_dev_loss_that_only_jumps_does_not_shorten_a_training(noise, played):
    """The lowest of many jumps lies anywhere, and the last loss is above it; a later one is about as low."""
    losses = np.ones((20, 4))
    losses[3] = 0.80, 0.79, 0.81, 0.80
    losses[[8, 13, 18]] = 0.81, 0.78, 0.83, 0.79
    played(losses)
    assert losses.mean(1).argmin() == 3 and (losses[9] > losses[3]).all() and look_at(noise, RECIPE).epochs == RECIPE.epochs
    losses[4:] += 0.5
    assert look_at(noise, RECIPE).epochs == 12


def test_a_look_that_leaves_it_open_goes_on_until_the_dev_loss_has_turned(noise, played):
    falling, turned = [1.0, 0.9, 0.8, 0.75, 0.72, 0.71, 0.705], [0.702, 0.701, 0.703, 0.72, 0.74, 0.76, 0.8, 0.9]
    seen = played(of_means(falling + turned))
    assert look_at(noise, RECIPE).epochs == LONGER * 9  # lowest at the ninth evaluation, each after an epoch
    assert seen == [10, 15] and [math.ceil(share * 80) for share in LOOKED_AT] == [10, 15, 20]


def test_where_the_dev_loss_clearly_falls_the_look_ends_at_an_eighth(noise, played):
    seen = played(of_means(np.linspace(1.0, 0.2, 20)))
    assert look_at(noise, RECIPE).epochs == RECIPE.epochs and seen == [10]


def test_a_dev_loss_that_stays_level_is_looked_at_for_a_quarter_of_the_training(noise, played):
    seen = played(of_means([1.0, 0.9, *[0.8] * 18], spread=0.05))
    assert look_at(noise, RECIPE).epochs == RECIPE.epochs and seen == [10, 15, 20]


def test_a_look_takes_no_more_steps_than_there_is_time_for(noise, played):
    rising = of_means([0.7, 0.6, 0.5, *np.linspace(0.6, 1.0, 17)])
    seen = played(rising)
    assert look_at(noise, RECIPE, most_steps=SEGMENTS * EPOCH - 1).epochs == RECIPE.epochs and seen == []
    assert look_at(noise, RECIPE, most_steps=SEGMENTS * EPOCH).epochs == 10 and seen == [10]
    seen = played(of_means([1.0, 0.9, *[0.8] * 18], spread=0.05))
    assert look_at(noise, RECIPE, most_steps=16 * EPOCH).epochs == RECIPE.epochs and seen == [10, 15]


def test_a_training_of_few_evaluations_is_not_looked_at(noise, monkeypatch):
    assert looks(RECIPE, EPOCH) == (SEGMENTS, 15, 20)
    short = replace(RECIPE, epochs=20.0)
    assert looks(short, EPOCH) == ()
    monkeypatch.setattr(rehearsal.Shoal, "advance", None)
    assert look_at(noise, short).epochs == 20.0


def test_a_look_at_two_shares_goes_on_although_the_dev_loss_clearly_falls_and_tells_the_lowest(noise, played):
    losses = of_means([*np.linspace(1.0, 0.3, 12), 0.5, 0.5, 0.4])
    for least, evaluations in ((1, 10), (2, 15)):
        seen = played(losses)
        look = look_at(noise, RECIPE, least=least)
        assert seen == [10, 15][:least] and look.epochs == RECIPE.epochs and look.steps == evaluations * EPOCH
        np.testing.assert_allclose(look.dev_loss, np.asarray(losses)[:evaluations].min(0))
    seen = played(of_means([0.7, 0.6, 0.5, *np.linspace(0.6, 1.0, 17)]))
    look = look_at(noise, RECIPE, least=2)
    assert seen == [10] and (look.epochs, look.steps) == (10, 100)  # a dev loss that turned says enough
    assert look_at(noise, RECIPE, most_steps=SEGMENTS * EPOCH, least=2).steps == 100
    assert look_at(noise, RECIPE, most_steps=1).steps == 0


def test_a_shape_is_ahead_where_its_lowest_dev_loss_in_the_same_time_is_two_per_cent_lower(noise, played):
    look = Look(RECIPE.epochs, 100, np.full(4, 0.5))
    ours = of_means([0.9, *np.linspace(0.7, 0.48, 12), 0.6, 0.3])
    for steps, evaluations, is_lower in ((139, 13, True), (130, 13, True), (129, 12, False), (159, 15, True)):
        seen = played(ours)
        assert is_ahead(noise, RECIPE, steps, look) == is_lower and seen == [evaluations]
    for lowest, is_lower in ((0.492, False), (0.488, True), (math.nan, False)):
        played(of_means([0.9, 0.8, lowest]))
        assert is_ahead(noise, RECIPE, 3 * EPOCH, look) == is_lower
    seen = played(ours)
    assert not is_ahead(noise, RECIPE, EPOCH - 1, look) and seen == []  # no time for one evaluation


def test_networks_that_learn_are_ahead_of_such_that_do_not():
    shoal = shoal_of(True)
    slow = look_at(shoal, replace(RECIPE, learning_rate=1e-6))
    assert slow.steps == SEGMENTS * EPOCH and is_ahead(shoal, RECIPE, slow.steps, slow)
    assert not is_ahead(shoal, replace(RECIPE, learning_rate=1e-6), slow.steps, slow)


def test_networks_that_diverge_say_nothing_about_the_length(noise):
    assert look_at(noise, replace(RECIPE, optimiser="gradient_descent", learning_rate=1e38)).epochs == RECIPE.epochs


def test_the_speed_is_measured_in_seconds_a_step(noise):
    assert 1e-6 < measure_speed(noise, RECIPE) < 1


def test_a_step_is_expected_to_take_as_long_as_its_multiplications_at_half_the_speed_of_a_product(noise, monkeypatch):
    monkeypatch.setattr(rehearsal, "_multiplications_a_second", lambda: 1e9)
    weights = COLUMNS * 32 + 32 * 1
    assert expected_step(noise) == pytest.approx(3 * weights * BATCH * noise.slots / (0.5 * 1e9))


def test_the_speed_of_a_product_is_that_of_numpy(monkeypatch):
    moments = iter([0.0, 4.0, 10.0, 12.0, 20.0, 23.0])
    monkeypatch.setattr(rehearsal, "time", SimpleNamespace(perf_counter=lambda: next(moments)))
    assert rehearsal._multiplications_a_second.__wrapped__() == 1024**3 / 2.0
