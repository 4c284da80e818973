"""Convolutions, pooling and whole networks of them, in training and in use, against PyTorch; and both ways to compute them."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional

from shoal import noise, training
from shoal.nets import convolution, layers, network
from shoal.nets.network import Draws, Layout, draw, initialise, outputs, train_outputs
from shoal.nets.pixels import Pixels
from shoal.recipe import Recipe
from shoal.training import Batch, Scale

RNG = np.random.default_rng(3)
WAYS = {"products": convolution.convolve_by_products, "library": convolution.convolve_by_library}
SIZES = [(1, 5, 4, 6, 3, 3), (3, 6, 7, 10, 5, 5), (4, 3, 3, 7, 2, 1), (2, 4, 9, 48, 9, 3), (6, 2, 2, 16, 4, 7)]
"""Channels, height, width, rows, filters, kernel."""
HEIGHT, WIDTH, COLOURS, ROWS, CLASSES = 9, 8, 3, 6, 4
CASES = {
    "one convolution a block": {"channels": (5, 7), "hidden_units": (6,)},
    "batch norm, three convolutions": {"channels": (5,), "convolutions_per_block": 3, "normalisation": "batch", "hidden_units": ()},
    "residual, batch norm": {"channels": (5, 9), "convolutions_per_block": 2, "residual": True, "normalisation": "batch"},
    "layer norm, mean of each channel": {"channels": (5, 7), "normalisation": "layer", "global_pooling": "average", "pooling": "average"},
    "pooled before batch norm and ReLU": {"channels": (5, 7), "normalisation": "batch", "activation": "relu"},
    "pooled before a bias and tanh": {"channels": (5, 7), "activation": "tanh"},
    "no pooling, large filters, sigmoid": {"channels": (3,), "kernel_size": 5, "pooling": "none", "activation": "sigmoid"},
}


def in_torch(x: np.ndarray) -> torch.Tensor:
    """``[channels, height, width, rows]`` as PyTorch has it."""
    return torch.tensor(np.asarray(x)).permute(3, 0, 1, 2)


def filters_in_torch(w, channels: int, kernel: int) -> torch.Tensor:
    return (
        torch.as_tensor(np.asarray(w) if not isinstance(w, torch.Tensor) else w).reshape(channels, kernel, kernel, -1).permute(3, 0, 1, 2)
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("channels", "height", "width", "rows", "filters", "kernel"), SIZES)
def test_a_convolution_and_its_slopes_are_pytorchs(float64, way, channels, height, width, rows, filters, kernel):
    x, w = RNG.normal(size=(channels, height, width, rows)), RNG.normal(size=(channels * kernel**2, filters))
    slope = RNG.normal(size=(filters, height, width, rows))
    ours, backward = jax.vjp(lambda x, w: WAYS[way](x, w, kernel), jnp.asarray(x), jnp.asarray(w))
    x_slope, w_slope = backward(jnp.asarray(slope))
    theirs_x, theirs_w = in_torch(x).requires_grad_(), torch.tensor(w, requires_grad=True)
    theirs = functional.conv2d(theirs_x, filters_in_torch(theirs_w, channels, kernel), padding=kernel // 2)
    theirs.backward(in_torch(slope))
    np.testing.assert_allclose(np.moveaxis(np.asarray(ours), 3, 0), theirs.detach(), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(np.moveaxis(np.asarray(x_slope), 3, 0), np.asarray(theirs_x.grad), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(w_slope, np.asarray(theirs_w.grad), rtol=1e-10, atol=1e-10)


def test_patches_are_taken_in_pieces_that_divide_the_mini_batch_and_fit_the_cache():
    assert convolution._rows_at_once(32, 14, 128, 3, jnp.float32) == 128
    assert convolution._rows_at_once(64, 28, 128, 3, jnp.float32) == 32  # 9 x 64 x 28 x 4 bytes a row
    assert convolution._rows_at_once(512, 28, 96, 3, jnp.float32) == 16  # more than the cache holds: a vector register's width
    assert convolution._rows_at_once(512, 28, 7, 3, jnp.float32) == 7


def test_both_ways_give_the_same_to_rounding_in_single_precision():
    x, w = (jnp.asarray(RNG.normal(size=size), jnp.float32) for size in ((16, 14, 14, 64), (16 * 9, 32)))
    found = [way(x, w, 3) for way in WAYS.values()]
    assert float(jnp.abs(found[0] - found[1]).max() / jnp.abs(found[1]).max()) < 1e-5
    slopes = [jax.grad(lambda x, w, way=way: jnp.sum(jnp.sin(way(x, w, 3))), (0, 1))(x, w) for way in WAYS.values()]
    for ours, theirs in zip(*slopes, strict=True):
        assert float(jnp.abs(ours - theirs).max() / jnp.abs(theirs).max()) < 1e-5


@pytest.mark.parametrize(("kind", "pooled"), [("max", functional.max_pool2d), ("average", functional.avg_pool2d)])
@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 7), (2, 3)])
def test_pooling_and_its_slope_are_pytorchs_with_ties_and_odd_sides(float64, kind, pooled, height, width):
    x = np.maximum(RNG.normal(size=(3, height, width, 5)), 0)  # many are 0 and so alike
    theirs_x = in_torch(x).requires_grad_()
    theirs = pooled(theirs_x, 2)
    ours, backward = jax.vjp(lambda x: convolution.pool(x, kind), jnp.asarray(x))
    slope = RNG.normal(size=ours.shape)
    theirs.backward(in_torch(slope))
    np.testing.assert_allclose(np.moveaxis(np.asarray(ours), 3, 0), theirs.detach(), rtol=1e-12)
    np.testing.assert_allclose(np.moveaxis(np.asarray(backward(jnp.asarray(slope))[0]), 3, 0), np.asarray(theirs_x.grad), rtol=1e-12)


@pytest.mark.parametrize("way", ["products", "library"])
@pytest.mark.parametrize(("height", "width", "kernel"), [(4, 6, 3), (5, 7, 3), (2, 3, 5)])
def test_a_pooled_convolution_its_statistics_and_slopes_are_pytorchs(float64, monkeypatch, way, height, width, kernel):
    monkeypatch.setattr(convolution, "CACHE", 3 * kernel * kernel * 3 * width * 8)  # so that a row of pixels takes several products
    monkeypatch.setattr(convolution, "FEWEST_ROWS", 3)
    monkeypatch.setattr(convolution.jax, "default_backend", lambda: {"products": "cpu", "library": "gpu"}[way])
    x, w = np.round(RNG.normal(size=(3, height, width, 6))), np.round(RNG.normal(size=(3 * kernel**2, 4)))  # some are alike
    signs, present = np.array([1.0, -1, 1, -1]), np.array([1.0, 1, 0, 1, 1, 1])
    (largest, statistics), backward = jax.vjp(
        lambda x, w: convolution.convolve_and_pool(x, w, kernel, jnp.asarray(signs), jnp.asarray(present)), jnp.asarray(x), jnp.asarray(w)
    )
    theirs_x, theirs_w = in_torch(x).requires_grad_(), torch.tensor(w, requires_grad=True)
    z = functional.conv2d(theirs_x, filters_in_torch(theirs_w, 3, kernel), padding=kernel // 2)
    turned = torch.tensor(signs)[:, None, None]
    assert statistics is not None
    pixels = z[np.flatnonzero(present).tolist()].transpose(0, 1).reshape(4, -1)
    theirs = (turned * functional.max_pool2d(turned * z, 2), pixels.mean(1), pixels.var(1, correction=0))
    for ours, expected in zip((np.moveaxis(np.asarray(largest), 3, 0), *statistics), theirs, strict=True):
        np.testing.assert_allclose(ours, expected.detach(), rtol=1e-10, atol=1e-12)
    slopes = [RNG.normal(size=each.shape) for each in (largest, *statistics)]
    x_slope, w_slope = backward(convolution.Pooled(jnp.asarray(slopes[0]), (jnp.asarray(slopes[1]), jnp.asarray(slopes[2]))))
    torch.autograd.backward(theirs, [in_torch(slopes[0]), torch.tensor(slopes[1]), torch.tensor(slopes[2])])
    np.testing.assert_allclose(np.moveaxis(np.asarray(x_slope), 3, 0), np.asarray(theirs_x.grad), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(w_slope, np.asarray(theirs_w.grad), rtol=1e-9, atol=1e-10)


def test_a_pooled_convolution_keeps_what_is_not_finite():
    x = jnp.asarray(RNG.normal(size=(2, 4, 4, 3)), jnp.float32).at[0, 1, 1, 2].set(jnp.nan)
    largest = convolution.convolve_and_pool(x, jnp.ones((18, 1), jnp.float32), 3, jnp.ones(1)).largest
    assert np.isnan(largest[..., 2]).all() and np.isfinite(largest[..., :2]).all()


def test_statistics_and_normalisation_of_pictures_are_pytorchs(float64):
    z = RNG.normal(1, 2, (4, 3, 5, 6))
    gamma, beta = RNG.normal(size=4), RNG.normal(size=4)
    present = np.array([1.0, 1, 1, 1, 1, 0])
    mean, variance = layers.batch_statistics(jnp.asarray(z), jnp.asarray(present))
    ours = layers.normalise(jnp.asarray(z), mean, variance, jnp.asarray(gamma), jnp.asarray(beta))
    weights = torch.tensor(gamma), torch.tensor(beta)
    theirs = functional.batch_norm(in_torch(z)[:5], None, None, weights[0], weights[1], training=True, eps=layers.NORMALISATION_EPSILON)
    np.testing.assert_allclose(np.moveaxis(np.asarray(ours), 3, 0)[:5], theirs, rtol=1e-10, atol=1e-12)
    padded = np.concatenate([z, np.zeros((2, 3, 5, 6))])
    more = [jnp.asarray(np.pad(each, (0, 2))) for each in (gamma, beta)]
    ours = layers.layer_norm(jnp.asarray(padded), jnp.asarray(4), *more)
    theirs = functional.group_norm(in_torch(z), 1, weights[0], weights[1], eps=layers.NORMALISATION_EPSILON)
    np.testing.assert_allclose(np.moveaxis(np.asarray(ours)[:4], 3, 0), theirs, rtol=1e-10, atol=1e-12)
    assert not np.asarray(ours)[4:].any()


@pytest.mark.parametrize("size", [(4, 3, 5, 6), (6, 4)], ids=["pictures", "rows"])
def test_the_slope_of_statistics_is_that_of_their_formula_and_leaves_padding_alone(float64, size):
    z, present = RNG.normal(1, 2, size), np.array([1.0, 1, 0, 1, 1, 0])
    axes, mask = ((1, 2, 3), present) if len(size) == 4 else ((0,), present[:, None])
    of_mean, of_variance = RNG.normal(size=4), RNG.normal(size=4)

    def formula(z):
        count = (np.ones(size) * mask).sum(axes)
        mean = (z * mask).sum(axes) / count
        shape = (-1, 1, 1, 1) if len(size) == 4 else (1, -1)
        return mean, (jnp.square(z - mean.reshape(shape)) * mask).sum(axes) / count

    def summed(statistics):
        return lambda z: sum((each * slope).sum() for each, slope in zip(statistics(z), (of_mean, of_variance), strict=True))

    slope = jax.grad(summed(lambda z: layers.batch_statistics(z, jnp.asarray(present))))(jnp.asarray(z))
    np.testing.assert_allclose(slope, jax.grad(summed(formula))(jnp.asarray(z)), rtol=1e-9, atol=1e-12)
    assert not np.moveaxis(np.asarray(slope), -1 if len(size) == 4 else 0, 0)[present == 0].any()


def layout_of(recipe: Recipe, width: int = 8) -> Layout:
    inputs = HEIGHT * WIDTH * COLOURS
    return Layout(recipe.shape, width, inputs, 0, CLASSES, "softmax", recipe.techniques, (HEIGHT, WIDTH, COLOURS))


def recipe_of(**settings) -> Recipe:
    return Recipe(**{"hidden_units": (6,), "activation": "silu", "batch_size": ROWS, **settings})


def doubled(value):
    return jax.tree.map(lambda leaf: leaf.astype(np.float64) if np.issubdtype(leaf.dtype, np.floating) else leaf, value)


def begun(recipe: Recipe, width: int = 8):
    layout = layout_of(recipe, width)
    numbers = doubled(recipe.numbers(4))
    parameters, statistics = initialise(layout, numbers, jnp.ones(layout.inputs, bool), dtype=jnp.float64)
    spread = jax.tree.map(lambda leaf: leaf + 0.1 * jnp.sign(leaf), parameters)  # vectors of 0 would hide what they do
    turned = tuple(  # a negative gamma makes the smallest pixel the largest
        layer | {"gamma": layer["gamma"] * jnp.where(jnp.arange(len(layer["gamma"])) % 2 == 0, 1, -1)} if "gamma" in layer else layer
        for layer in spread
    )
    return layout, numbers, turned, statistics


def own(recipe: Recipe, layout: Layout, parameters) -> list[dict[str, torch.Tensor]]:
    """The part of padded parameters that belongs to the network, with vectors that are not 0."""
    sizes = layout.sizes_with(recipe.units)
    return [
        {name: torch.tensor(np.asarray(leaf[:n_in, :n_out] if name == "w" else leaf[:n_out])) for name, leaf in layer.items()}
        for layer, (n_in, n_out) in zip(parameters, sizes, strict=True)
    ]


def outputs_in_torch(recipe: Recipe, parameters, x: torch.Tensor, seen=None):
    """The network written a second time, ``x [rows, colours, height, width]``; ``seen`` are the statistics of batch norm in use."""
    activation = {"silu": functional.silu, "sigmoid": torch.sigmoid, "relu": torch.relu, "tanh": torch.tanh}[recipe.activation]
    statistics = []

    def hidden(z, layer, number):
        shape = (1, -1) + (1,) * (z.ndim - 2)
        if recipe.normalisation == "batch":
            axes = [axis for axis in range(z.ndim) if axis != 1]
            statistics.append((z.mean(axes).detach(), z.var(axes, correction=0).detach()))
            mean, variance = (None, None) if seen is None else seen[number]
            z = functional.batch_norm(
                z, mean, variance, layer["gamma"], layer["beta"], training=seen is None, eps=layers.NORMALISATION_EPSILON
            )
        else:
            z = z + layer["b"].reshape(shape)
        if recipe.normalisation == "layer":
            z = functional.group_norm(z, 1, layer["gamma"], layer["beta"], layers.NORMALISATION_EPSILON)
        return activation(z)

    number = 0
    for _ in recipe.channels:
        for place in range(recipe.convolutions_per_block):
            layer = parameters[number]
            filters = layer["w"].reshape(x.shape[1], recipe.kernel_size, recipe.kernel_size, -1).permute(3, 0, 1, 2)
            a = hidden(functional.conv2d(x, filters, padding=recipe.kernel_size // 2), layer, number)
            x = x + a if recipe.residual and place else a
            number += 1
        if recipe.pooling != "none":
            x = functional.max_pool2d(x, 2) if recipe.pooling == "max" else functional.avg_pool2d(x, 2)
    x = x.mean((2, 3)) if recipe.global_pooling == "average" else x.flatten(1)
    for layer in parameters[number:-1]:
        x = hidden(x @ layer["w"], layer, number)
        number += 1
    return x @ parameters[-1]["w"] + parameters[-1]["b"], statistics


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
def test_outputs_slopes_and_statistics_of_a_padded_network_are_pytorchs(float64, settings):
    recipe = recipe_of(**settings)
    layout, numbers, parameters, statistics = begun(recipe)
    x, target = RNG.normal(size=(ROWS, layout.inputs)), RNG.integers(CLASSES, size=ROWS)
    present = jnp.ones(ROWS)

    def cost(parameters):
        z, seen, _ = train_outputs(layout, parameters, statistics, numbers, jnp.asarray(x), present, Draws())
        return -jnp.take_along_axis(jax.nn.log_softmax(z), jnp.asarray(target)[:, None], 1).mean(), (z, seen)

    slope, (z, seen) = jax.grad(cost, has_aux=True)(parameters)
    theirs = own(recipe, layout, parameters)
    for layer in theirs:
        for tensor in layer.values():
            tensor.requires_grad_()
    pictures = torch.tensor(x).reshape(ROWS, HEIGHT, WIDTH, COLOURS).permute(0, 3, 1, 2)
    expected, measured = outputs_in_torch(recipe, theirs, pictures)
    functional.cross_entropy(expected, torch.tensor(target)).backward()
    np.testing.assert_allclose(z, expected.detach(), rtol=1e-9, atol=1e-10)
    for ours, layer, (n_in, n_out) in zip(slope, theirs, layout.sizes_with(recipe.units), strict=True):
        for name, tensor in layer.items():
            leaf = np.asarray(ours[name])
            np.testing.assert_allclose(leaf[:n_in, :n_out] if name == "w" else leaf[:n_out], np.asarray(tensor.grad), rtol=1e-8, atol=1e-10)
        w = np.asarray(ours["w"])
        assert not w[n_in:].any() and not w[:, n_out:].any()  # units that pad the network do not learn
    for each, (mean, variance) in zip(seen, measured, strict=True):
        n_out, weight = len(mean), 1 - recipe.batch_norm_beta
        np.testing.assert_allclose(each["mean"][:n_out], weight * mean, rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(each["variance"][:n_out], weight * variance, rtol=1e-5, atol=1e-9)
    in_use = tuple({"mean": 0.1 + each["mean"], "variance": 0.3 + each["variance"]} for each in seen)
    lengths = [n_out for _, n_out in layout.sizes_with(recipe.units)]
    known = [
        tuple(torch.tensor(np.asarray(each[name])[:count]) for name in ("mean", "variance"))
        for each, count in zip(in_use, lengths, strict=False)
    ]
    ours = outputs(layout, parameters, in_use, jnp.asarray(x), numbers.units)
    np.testing.assert_allclose(ours, outputs_in_torch(recipe, theirs, pictures, known)[0].detach(), rtol=1e-8, atol=1e-10)


def test_the_same_seed_draws_the_same_filters_whatever_the_room_and_by_their_own_fan_in(float64):
    recipe = recipe_of(channels=(5, 7), hidden_units=(6,))
    layout = layout_of(recipe)
    assert layout.shape.convolutions is not None and layout.shape.convolutions.channels == (8, 8)
    wider = replace(layout, width=16, shape=replace(layout.shape, convolutions=replace(layout.shape.convolutions, channels=(16, 24))))
    found = [
        own(recipe, each, initialise(each, doubled(recipe.numbers(4)), jnp.ones(each.inputs, bool), dtype=jnp.float64)[0])
        for each in (layout, wider)
    ]
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours["w"], theirs["w"], rtol=1e-12)
    large = recipe_of(channels=(64, 96), hidden_units=(50,), pooling="average")
    parameters = own(
        large, layout_of(large, 64), initialise(layout_of(large, 64), doubled(large.numbers(1)), jnp.ones(216, bool), dtype=jnp.float64)[0]
    )
    for layer, fan_in in zip(parameters, (27, 64 * 9, 96 * 2 * 2), strict=False):
        assert float(layer["w"].std()) == pytest.approx(np.sqrt(2 / fan_in), rel=0.03)


def test_lsuv_gives_convolutions_outputs_of_variance_1(float64):
    recipe = recipe_of(channels=(16, 24), hidden_units=(12,), initialisation="lsuv", normalisation="none")
    layout, x = layout_of(recipe, 16), jnp.asarray(RNG.normal(size=(40, HEIGHT * WIDTH * COLOURS)))
    numbers = doubled(recipe.numbers(4))
    parameters, _ = initialise(layout, numbers, jnp.ones(layout.inputs, bool), x, jnp.float64)
    draws = Draws()
    _, _, hidden = train_outputs(
        replace(layout, techniques=()), parameters, (), numbers, x, jnp.ones(40), draws, [jnp.zeros(())] * (layout.hidden + 1)
    )
    for each, units in zip(hidden, recipe.units, strict=True):
        z = np.asarray(each.z[:units] if each.z.ndim == 4 else each.z[:, :units])
        assert z.var() == pytest.approx(1, rel=1e-6)


def test_dropout_after_convolutions_holds_for_their_features_and_the_dense_layers(float64):
    recipe = recipe_of(channels=(8,), hidden_units=(8,), keep_prob=(0.5, 0.25))
    layout, numbers, parameters, statistics = begun(recipe)
    draws = draw(layout, jnp.uint32(1), jnp.int32(2), jnp.float64)
    assert [each.shape for each in draws.hidden] == [(ROWS, layout.features), (ROWS, 8)] and layout.features == 8 * 4 * 4
    x = jnp.asarray(RNG.normal(size=(ROWS, layout.inputs)))
    _, _, hidden = train_outputs(layout, parameters, statistics, numbers, x, jnp.ones(ROWS), draws, [jnp.zeros(())] * (layout.hidden + 1))
    a = np.asarray(convolution.pool(hidden[0].a, "max")).reshape(layout.features, ROWS).T
    kept = a * np.asarray(noise.keep(draws.hidden[0], jnp.float32(0.5))) / 0.5
    np.testing.assert_allclose(hidden[1].z[:, :8], kept @ parameters[1]["w"] + parameters[1]["b"], rtol=1e-9)


def test_a_network_that_does_not_augment_is_the_same_beside_networks_that_do(float64):
    plain, turned = recipe_of(channels=(8,)), recipe_of(channels=(8,), rotation=20.0, horizontal_flip=0.5, crop=0.2, brightness=0.3)
    pixels = Pixels(np.array([100.0, 110.0, 90.0]), np.array([50.0, 60.0, 40.0]))
    x, target = RNG.integers(0, 256, (ROWS, HEIGHT * WIDTH * COLOURS)).astype(np.float64), jnp.asarray(RNG.integers(CLASSES, size=ROWS))
    scale = Scale(np.float64(ROWS), np.float64(1), np.ones(x.shape[1], bool), np.ones(CLASSES), np.float64(0), pixels)
    found = {}
    for name, recipe, held in (("alone", plain, plain), ("beside", plain, turned), ("turned", turned, turned)):
        layout = replace(layout_of(plain), techniques=held.techniques)
        numbers = doubled(recipe.numbers(4))
        parameters, statistics = initialise(layout, numbers, jnp.ones(layout.inputs, bool), dtype=jnp.float64)
        seen = jnp.asarray(x) if layout.augments else network.network_inputs(layout, jnp.asarray(x), pixels)
        draws = draw(layout, jnp.uint32(1), jnp.int32(2), jnp.float64)
        found[name] = training.cost(layout, numbers, scale, statistics, parameters, Batch(seen, target, jnp.ones(ROWS)), draws)[0]
    assert float(found["alone"]) == pytest.approx(float(found["beside"]), rel=1e-12)
    assert abs(float(found["turned"]) - float(found["alone"])) > 1e-4


def test_a_layout_knows_the_planes_of_its_convolutions():
    recipe = recipe_of(channels=(8, 16), convolutions_per_block=2, hidden_units=(6, 5))
    layout = layout_of(recipe)
    assert [(each.inputs, each.filters, each.height, each.width) for each in layout.convolutions] == [
        (3, 8, 9, 8), (8, 8, 9, 8), (8, 16, 4, 4), (16, 16, 4, 4),
    ]  # fmt: skip
    assert (layout.plane, layout.features, layout.hidden, layout.rooms) == ((2, 2, 16), 64, 6, (8, 8, 16, 16, 8, 8))
    assert layout.sizes == ((27, 8), (72, 8), (72, 16), (144, 16), (64, 8), (8, 8), (8, 4))
    assert layout.sizes_with((5, 5, 9, 9, 6, 5)) == ((27, 5), (45, 5), (45, 9), (81, 9), (36, 6), (6, 5), (5, 4))
    # 9 x 8 pixels in the first block, 4 x 4 in the second
    assert layout.operations == (27 * 8 + 72 * 8) * 72 + (72 * 16 + 144 * 16) * 16 + 64 * 8 + 8 * 8 + 8 * 4
    dense = layout_of(recipe_of(channels=()))
    assert (dense.convolutions, dense.plane, dense.features) == ((), None, HEIGHT * WIDTH * COLOURS)
