"""Augmented pictures against NumPy (flips, crops, cutout), SciPy (rotation, zoom, shift) and Pillow (colours, the sense of a rotation)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy import ndimage, stats

from shoal import noise
from shoal.nets.augmentation import WIDTHS, Draws, augment, draw_augmentation, is_augmented
from shoal.recipe import AUGMENTATIONS, Recipe, stack, techniques_of

RNG = np.random.default_rng(0)
STRENGTHS: dict[str, Any] = {
    "horizontal_flip": 0.5, "vertical_flip": 0.5, "crop": 0.125, "rotation": 30.0, "zoom": 0.3, "shift": 0.1, "brightness": 0.3,
    "contrast": 0.3, "saturation": 0.3, "cutout": 0.4,
}  # fmt: skip
SIZES = ((12, 9, 1), (8, 11, 3), (7, 7, 2))
ROWS = 10
LUMA = np.array([0.299, 0.587, 0.114])


def pictures(size: tuple[int, int, int], rows: int = ROWS, dtype: Any = np.float32) -> np.ndarray:
    """Smooth enough to be told apart, and with values between whole numbers."""
    return RNG.uniform(0, 255, (rows, *size)).astype(dtype)


def drawn(techniques: Any, rows: int = ROWS, seed: int = 0, dtype: Any = jnp.float32) -> Draws:
    return draw_augmentation(tuple(techniques), noise.stream(7, seed), rows, dtype)


def augmented(x: np.ndarray, recipe: Recipe, draws: Draws, mean: Any = None, techniques: Any = None, exact: Any = None) -> np.ndarray:
    """The pictures as a network of the recipe sees them, in a program with these techniques, or with its own."""
    numbers = recipe.numbers(0) if exact is None else exact(recipe)
    used = recipe.techniques if techniques is None else techniques
    colour = jnp.full(x.shape[-1], 99.0, x.dtype) if mean is None else jnp.asarray(mean, x.dtype)
    return np.asarray(jax.jit(augment, static_argnums=3)(jnp.asarray(x), numbers, draws, tuple(used), colour))


def signed(draw: Any, strength: float) -> np.ndarray:
    return (2 * np.asarray(draw, float) - 1) * strength


# strength 0, and what is not in the program


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [*AUGMENTATIONS, "all"])
def test_at_strength_0_the_pictures_stay_as_they_are_to_the_last_bit(name: str, size: tuple[int, int, int]):
    techniques = AUGMENTATIONS if name == "all" else (name,)
    x = pictures(size)
    np.testing.assert_array_equal(augmented(x, Recipe(), drawn(techniques), techniques=techniques), x)
    used = Recipe(**{each: STRENGTHS[each] for each in techniques})
    changed = augmented(x, used, drawn(techniques))
    assert (changed != x).any() or (techniques == ("saturation",) and size[-1] == 1)


def test_a_network_without_augmentation_is_not_changed_by_its_neighbours_in_the_shoal():
    recipes = [Recipe(**STRENGTHS), Recipe(), Recipe(brightness=0.2)]
    techniques, x = techniques_of(recipes), pictures((9, 12, 3))
    numbers, draws = stack([recipe.numbers(0) for recipe in recipes]), drawn(techniques_of(recipes))
    found = np.asarray(jax.jit(jax.vmap(lambda each: augment(jnp.asarray(x), each, draws, techniques, jnp.zeros(3))))(numbers))
    np.testing.assert_array_equal(found[1], x)
    for one, recipe in zip(found, recipes, strict=True):
        alone = augmented(x, recipe, draws, mean=np.zeros(3), techniques=techniques)
        np.testing.assert_allclose(one, alone, rtol=1e-5, atol=1e-3)
        # without the techniques of the others in its program, which for whole pixels changes how they are computed
        np.testing.assert_allclose(one, augmented(x, recipe, drawn(recipe.techniques), mean=np.zeros(3)), rtol=1e-5, atol=1e-3)


def test_flips_and_crops_are_the_same_to_the_last_bit_beside_a_network_that_is_turned():
    recipe, x = Recipe(horizontal_flip=0.5, vertical_flip=0.5, crop=0.25), pictures((10, 8, 3))
    techniques = (*recipe.techniques, "rotation", "shift", "zoom")
    beside = augmented(x, recipe, drawn(techniques), techniques=techniques)
    np.testing.assert_array_equal(beside, augmented(x, recipe, drawn(recipe.techniques)))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_technique_that_is_not_used_is_not_in_the_program(name: str):
    x, numbers = jnp.zeros((4, 6, 6, 3)), Recipe().numbers(0)

    def operations(techniques: tuple[str, ...]) -> int:
        def step(x: Any) -> Any:
            return augment(x, numbers, draw_augmentation(techniques, noise.stream(0), 4), techniques, jnp.zeros(3))

        return jax.jit(step).lower(x).as_text().count(" = ")

    others = tuple(each for each in AUGMENTATIONS if each != name)
    assert operations(("mixup", "dropout")) == operations(()) < operations((name,))
    assert operations(others) < operations(AUGMENTATIONS)
    assert drawn(others)._asdict()[name] is None and is_augmented((name,)) and not is_augmented(("mixup",))


def test_pictures_that_are_used_twice_are_computed_once():
    """Mixup uses them twice; XLA would gather their pixels anew for every use, and be a hundred times as slow."""
    recipe = Recipe(crop=0.1, brightness=0.1, cutout=0.2)
    draws = drawn(recipe.techniques)

    def mixed(x: Any) -> Any:
        x = augment(x, recipe.numbers(0), draws, recipe.techniques, jnp.zeros(3))
        return 0.3 * x + 0.7 * x[::-1]

    text = jax.jit(mixed).lower(jnp.zeros((ROWS, 8, 8, 3))).compile().as_text()
    assert text is not None and text.count(" gather(") == 1


# flips, crops and cutout


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_flips_and_crops_are_numpys(size: tuple[int, int, int], share: float):
    x, recipe = pictures(size, 40), Recipe(horizontal_flip=0.3, vertical_flip=0.6, crop=share)
    draws = drawn(recipe.techniques, 40)
    found = augmented(x, recipe, draws)
    added = [round(share * side) for side in size[:2]]
    padded = np.pad(x, ((0, 0), *((each, each) for each in added), (0, 0)), mode="edge")
    for row in range(40):
        down, across = (int(draw * (2 * each + 1)) for draw, each in zip(np.asarray(draws.crop[row]), added, strict=True))
        expected = padded[row, down : down + size[0], across : across + size[1]]
        expected = expected[:, ::-1] if draws.horizontal_flip[row, 0] < 0.3 else expected
        expected = expected[::-1] if draws.vertical_flip[row, 0] < 0.6 else expected
        np.testing.assert_array_equal(found[row], expected)


def test_probability_1_mirrors_every_picture():
    x = pictures((6, 5, 1))
    np.testing.assert_array_equal(augmented(x, Recipe(horizontal_flip=1.0), drawn(["horizontal_flip"])), x[:, :, ::-1])
    np.testing.assert_array_equal(augmented(x, Recipe(vertical_flip=1.0), drawn(["vertical_flip"])), x[:, ::-1])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_cutout_fills_a_square_around_a_pixel_with_the_mean_colour(size: tuple[int, int, int], share: float):
    x, recipe, mean = pictures(size, 30), Recipe(cutout=share), 10.0 * np.arange(1, size[-1] + 1)
    draws = drawn(recipe.techniques, 30)
    side = round(share * min(size[:2]))
    expected = x.copy()
    for row, (down, across) in enumerate(np.asarray(draws.cutout)):
        top, left = int(down * size[0]) - side // 2, int(across * size[1]) - side // 2
        expected[row, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = mean
    np.testing.assert_array_equal(augmented(x, recipe, draws, mean), expected)


# rotation, zoom and shift


def shifted_by(down: float, across: float) -> np.ndarray:
    return np.array([[1.0, 0, down], [0, 1, across], [0, 0, 1]])


def affine(recipe: Recipe, draws: Draws, row: int, height: int, width: int) -> np.ndarray:
    """From a place in the new picture to the place in the old one, as a product of homogeneous matrices."""
    middle = (height - 1) / 2, (width - 1) / 2
    mirror = np.diag([-1.0 if draws.vertical_flip[row, 0] < recipe.vertical_flip else 1.0,
                      -1.0 if draws.horizontal_flip[row, 0] < recipe.horizontal_flip else 1.0, 1.0])  # fmt: skip
    angle = np.deg2rad(signed(draws.rotation, recipe.rotation)[row, 0])
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    scale = np.exp(signed(draws.zoom, np.log1p(recipe.zoom))[row, 0])
    sides = np.array([height, width])
    added = np.round(recipe.crop * sides)
    crop = np.floor(np.asarray(draws.crop)[row] * (2 * added + 1)) - added
    moved = signed(draws.shift, recipe.shift)[row] * sides + crop
    return (
        shifted_by(*moved) @ shifted_by(*middle) @ turn @ np.diag([1 / scale, 1 / scale, 1]) @ mirror @ np.linalg.inv(shifted_by(*middle))
    )


WARPS = ("horizontal_flip", "vertical_flip", "crop", "rotation", "zoom", "shift")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("names", [("rotation",), ("zoom",), ("shift",), ("rotation", "zoom", "shift"), WARPS], ids=" ".join)
def test_warps_are_scipys_affine_transformation(float64, exact, names: tuple[str, ...], size: tuple[int, int, int]):
    x, recipe = pictures(size, dtype=np.float64), Recipe(**{name: STRENGTHS[name] for name in names})
    draws = drawn(WARPS, dtype=jnp.float64)
    found = augmented(x, recipe, draws, exact=exact)
    for row in range(ROWS):
        matrix = affine(recipe, draws, row, *size[:2])
        for channel in range(size[-1]):
            expected = ndimage.affine_transform(x[row, :, :, channel], matrix, order=1, mode="nearest")
            np.testing.assert_allclose(found[row, :, :, channel], expected, rtol=1e-9, atol=1e-9)
    assert np.abs(found - x).max() > 10


def only(name: str, *numbers: float) -> Draws:
    """Draws of one technique, the same in every row."""
    return Draws(**{name: jnp.broadcast_to(jnp.array(numbers), (ROWS, WIDTHS[name]))})


def test_a_positive_angle_turns_counter_clockwise_as_in_pillow():
    x = ndimage.gaussian_filter(pictures((21, 21, 1)), (0, 3, 3, 0))
    found = augmented(x, Recipe(rotation=40.0), only("rotation", 0.75))  # half of the largest angle
    for row in range(ROWS):
        expected = Image.fromarray(x[row, :, :, 0]).rotate(20, Image.Resampling.BILINEAR)
        np.testing.assert_allclose(found[row, 5:-5, 5:-5, 0], np.asarray(expected)[5:-5, 5:-5], atol=0.02 * np.ptp(x))


def test_half_a_turn_is_two_flips_and_a_quarter_numpys(float64, exact):
    x = pictures((9, 9, 3), dtype=np.float64)
    quarter = augmented(x, Recipe(rotation=180.0), only("rotation", 0.75), exact=exact)
    np.testing.assert_allclose(quarter, np.rot90(x, axes=(1, 2)), atol=1e-9)
    half = augmented(x, Recipe(rotation=90.0), only("rotation", 1.5), exact=exact)
    np.testing.assert_allclose(half, x[:, ::-1, ::-1], atol=1e-9)


def test_a_zoom_of_1_makes_pictures_up_to_twice_as_large():
    x = np.broadcast_to(np.arange(9, dtype=np.float32)[:, None, None], (ROWS, 9, 9, 1)).copy()
    np.testing.assert_allclose(augmented(x, Recipe(zoom=1.0), only("zoom", 1.0))[0, :, 0, 0], 4 + (np.arange(9) - 4) / 2, rtol=1e-6)
    np.testing.assert_allclose(
        augmented(x, Recipe(zoom=1.0), only("zoom", 0.0))[0, :, 0, 0], np.clip(4 + (np.arange(9) - 4) * 2, 0, 8), rtol=1e-6
    )


# colours


ENHANCERS: dict[str, Any] = {"brightness": ImageEnhance.Brightness, "contrast": ImageEnhance.Contrast, "saturation": ImageEnhance.Color}


@pytest.mark.parametrize("name", ENHANCERS)
def test_colours_are_pillows_up_to_its_rounding(name: str):
    """Pillow rounds the greys and the result to whole numbers."""
    x = RNG.integers(0, 256, (ROWS, 8, 9, 3)).astype(np.uint8)
    recipe = Recipe.from_dict({name: 0.8})
    draws = drawn(recipe.techniques)
    found = augmented(x.astype(np.float32), recipe, draws)
    for row, change in enumerate(signed(getattr(draws, name), 0.8)[:, 0]):
        expected = np.asarray(ENHANCERS[name](Image.fromarray(x[row])).enhance(1 + change)).astype(float)
        assert np.abs(found[row] - expected).max() < 2
        assert np.abs(found[row] - x[row]).max() > 2 * abs(change)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_colours_together_are_the_formulas_of_the_module_clipped_once(float64, exact, channels: int):
    x, recipe = pictures((7, 8, channels), dtype=np.float64), Recipe(brightness=0.9, contrast=0.8, saturation=0.7)
    draws = drawn(recipe.techniques, dtype=jnp.float64)
    weights = LUMA if channels == 3 else np.full(channels, 1 / channels)
    bright, sharp, vivid = (
        signed(getattr(draws, name), getattr(recipe, name))[:, :, None, None] for name in ("brightness", "contrast", "saturation")
    )
    expected = x * (1 + bright)
    expected = expected + sharp * (expected - (expected @ weights).mean((1, 2))[:, None, None, None])
    expected = expected + vivid * (expected - (expected @ weights)[..., None])
    assert expected.max() > 255 and expected.min() < 0
    np.testing.assert_allclose(augmented(x, recipe, draws, exact=exact), np.clip(expected, 0, 255), rtol=1e-10, atol=1e-10)


def test_saturation_leaves_grey_pictures_alone():
    grey = np.repeat(pictures((6, 6, 1)), 3, axis=-1)
    np.testing.assert_allclose(augmented(grey, Recipe(saturation=1.0), drawn(["saturation"])), grey, rtol=1e-5)


def test_colours_come_after_the_warp_and_cutout_last():
    x, recipe, mean = pictures((9, 9, 3)), Recipe(**STRENGTHS), np.array([255.0, 0.0, 128.0])
    draws = drawn(recipe.techniques)
    steps = x
    for names in (WARPS, tuple(ENHANCERS), ("cutout",)):
        steps = augmented(steps, Recipe(**{name: STRENGTHS[name] for name in names}), draws, mean)
    np.testing.assert_allclose(augmented(x, recipe, draws, mean), steps, rtol=1e-5, atol=1e-3)


# the draws


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_techniques_draws_are_uniform_and_depend_neither_on_other_techniques_nor_on_the_number_of_rows(name: str):
    alone, together = getattr(drawn([name], 5000), name), getattr(drawn(AUGMENTATIONS, 5000), name)
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_array_equal(alone[:3], getattr(drawn([name, "crop"], 3), name))
    assert alone.shape == (5000, WIDTHS[name])
    for column in np.asarray(alone, float).T:
        assert stats.kstest(column, "uniform").pvalue > 0.01 / 13  # there are so many columns
    assert (alone != getattr(drawn([name], 5000, seed=1), name)).all(1).mean() > 0.99


def test_the_draws_of_different_techniques_are_independent():
    every = np.concatenate([np.asarray(each, float) for each in drawn(AUGMENTATIONS, 5000)], axis=1)
    correlation = np.corrcoef(every.T) - np.eye(every.shape[1])
    assert np.abs(correlation).max() < 4.5 / np.sqrt(5000)


def places(recipe: Recipe, rows: int, side: int = 33) -> np.ndarray:
    """Where in the old picture the pixels of the new one come from ``[rows, side, side, 2]``: the picture holds its own coordinates."""
    x = np.broadcast_to(np.moveaxis(np.mgrid[:side, :side], 0, -1), (rows, side, side, 2)).astype(np.float32)
    return augmented(x, recipe, drawn(recipe.techniques, rows))


def test_strengths_are_the_ends_of_what_is_drawn_uniformly():
    """Angles, logarithms of scales, shifts: by a Kolmogorov-Smirnov test of 2,000 pictures, read from the pictures themselves."""
    turned = places(Recipe(rotation=30.0), 2000)
    right = turned[:, 16, 17] - turned[:, 16, 15]
    angles = np.rad2deg(np.arctan2(-right[:, 0], right[:, 1]))
    assert stats.kstest(-angles, stats.uniform(-30, 60).cdf).pvalue > 0.01 and np.abs(angles).max() > 29.5
    zoomed = places(Recipe(zoom=0.5), 2000)
    scales = 2 / (zoomed[:, 16, 17, 1] - zoomed[:, 16, 15, 1])
    assert stats.kstest(np.log(scales), stats.uniform(-np.log(1.5), 2 * np.log(1.5)).cdf).pvalue > 0.01
    moved = places(Recipe(shift=0.2), 2000)[:, 16, 16] - 16
    for along in moved.T:
        assert stats.kstest(along, stats.uniform(-0.2 * 33, 0.4 * 33).cdf).pvalue > 0.01
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.1


def test_crops_are_equally_likely_and_flips_as_likely_as_asked():
    cropped = places(Recipe(crop=0.125), 3000)[:, 16, 16] - 16  # 4 of 33 pixels
    for along in cropped.T:
        values, counts = np.unique(along, return_counts=True)
        assert values.tolist() == list(range(-4, 5)) and stats.chisquare(counts).pvalue > 0.01
    mirrored = places(Recipe(horizontal_flip=0.3), 3000)[:, 0, 0, 1] == 32
    assert stats.binomtest(int(mirrored.sum()), 3000, 0.3).pvalue > 0.01


def test_the_same_row_draws_the_same_whatever_the_strengths():
    """So that networks are paired: half of the largest angle for one is half of its own for every other."""
    weak, strong = (places(Recipe(shift=share), 50)[:, 16, 16] - 16 for share in (0.05, 0.1))
    np.testing.assert_allclose(strong, 2 * weak, rtol=1e-4, atol=1e-4)


def test_values_stay_between_0_and_255():
    x = RNG.choice([0.0, 255.0], (ROWS, 9, 9, 3)).astype(np.float32)
    recipe = Recipe.from_dict(STRENGTHS | {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0})
    found = augmented(x, recipe, drawn(recipe.techniques))
    assert found.dtype == x.dtype and found.min() >= 0 and found.max() <= 255
