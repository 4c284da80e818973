"""What augmentation makes of pictures, to look at: training draws it afresh in every step and keeps none of it."""

from __future__ import annotations

import functools
import io
import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from PIL import Image

from shoal import noise
from shoal.data import read_table, source_name
from shoal.data.pictures.column import picture_column, pixels_of
from shoal.errors import DataError, OptionError, Problem
from shoal.nets.augmentation import Draws, augment, draw_augmentation, is_augmented
from shoal.recipe import Numbers, Recipe
from shoal.storage import write_atomically

USUAL = Recipe(rotation=10.0, zoom=0.1, shift=0.1, brightness=0.2, contrast=0.2, saturation=0.2)
"""A mixture that digits and photographs bear alike; a flip does not suit every picture, since a mirrored digit is none."""

BLOCK = 1024
"""Pictures that are changed at a time."""

SMALLEST_SHOWN = 64
"""Pixels; smaller pictures are enlarged by a whole number."""

GAP, PAPER = 2, 255


def augmented(pictures: Any, recipe: Recipe, seed: int = 0) -> np.ndarray:
    """Pictures as a network of a recipe may see them in one training step.

    Args:
        pictures: whole numbers from 0 to 255 (``uint8``), ``[rows, height, width]`` or ``[rows, height, width, channels]``.
        recipe: with strengths of augmentation: ``rotation``, ``crop`` and others (see ``shoal.nets.augmentation``). Its other settings
            have no effect. Cutout takes the mean colour of the pictures given.
        seed: of the random numbers. The same seed turns the same row the same way, by half of its largest angle in every recipe.

    Returns:
        Pictures of the same shape and type.

    Raises:
        DataError: the array does not hold pictures.

    Example:
        >>> step = np.arange(4, dtype=np.uint8)[None, None, :].repeat(2, axis=1)
        >>> augmented(step, Recipe(horizontal_flip=1.0))[0].tolist()
        [[3, 2, 1, 0], [3, 2, 1, 0]]
    """
    array = np.asarray(pictures)
    if array.dtype != np.uint8 or array.ndim not in (3, 4):
        received = f"an array of {array.dtype} with the shape {list(array.shape)}"
        remedy = "Write, say, pictures.astype('uint8'), and pictures[None] for a single one."
        raise DataError(Problem("pictures are uint8 [rows, height, width] or [rows, height, width, channels]", received, remedy))
    if not array.size or not is_augmented(recipe.techniques):
        return array.copy()
    x = array if array.ndim == 4 else array[..., None]
    draws = draw_augmentation(recipe.techniques, noise.stream(jnp.uint32(seed % 2**32)), len(x))
    mean = x.mean((0, 1, 2), dtype=np.float64).astype(np.float32)
    numbers = recipe.numbers(seed)
    blocks = []
    for start in range(0, len(x), BLOCK):
        part = slice(start, start + BLOCK)
        own = jax.tree.map(lambda each, part=part: each[part], draws)
        blocks.append(np.asarray(_changed(x[part], numbers, own, mean, recipe.techniques)))
    return np.concatenate(blocks).reshape(array.shape)


@functools.partial(jax.jit, static_argnames="techniques")
def _changed(x: Array, numbers: Numbers, draws: Draws, mean: Array, techniques: tuple[str, ...]) -> Array:
    return jnp.round(augment(x.astype(jnp.float32), numbers, draws, techniques, mean)).astype(jnp.uint8)


def preview_augmentation(
    source: Any, out: str | Path, recipe: Recipe | None = None, *, rows: int = 8, samples: int = 8, seed: int = 0
) -> None:
    """Write a picture that shows what augmentation does: a row for each of a few pictures, at its left as it is.

    Args:
        source: pictures, in any form that ``shoal.improve`` reads.
        out: the file, a PNG; one of that name is replaced.
        recipe: with strengths of augmentation. ``None`` for a usual mixture: up to 10 degrees, a tenth of the scale and of the side, and
            a fifth of brightness, contrast and saturation.
        rows: pictures, drawn from the source at random.
        samples: how often each of them is changed.
        seed: of the draws.

    Raises:
        OptionError: the recipe changes no pictures, or a number is out of range; all of them together.
        DataError: the source cannot be read, or holds no pictures.
        RunFolderError: the file cannot be written.
    """
    recipe = USUAL if recipe is None else recipe
    if problems := [*_problems(recipe, rows, samples, seed)]:
        raise OptionError(*problems)
    frame = read_table(source)
    column = picture_column(frame)
    if column is None or not frame.height:
        received = f"{source_name(source)}, a table of {frame.width} columns without any" if frame.height else "no rows"
        raise DataError(Problem("augmentation is for pictures", received, "Name a folder of pictures, or an NPZ or IDX file."))
    chosen = np.sort(np.random.default_rng(seed).permutation(frame.height)[:rows])
    content = io.BytesIO()
    Image.fromarray(sheet(pixels_of(frame[column][chosen]), recipe, samples, seed)).save(content, "PNG")
    write_atomically(Path(out), content.getvalue())


def _problems(recipe: Recipe, rows: Any, samples: Any, seed: Any):
    if not is_augmented(recipe.techniques):
        yield Problem("the recipe changes pictures", "one without augmentation", "Set, say, rotation=10.")
    for name, value in (("rows", rows), ("samples", samples)):
        if not isinstance(value, int) or not 1 <= value <= 100:
            yield Problem(f"{name} is a whole number from 1 to 100", repr(value), "Write, say, 8.")
    if not isinstance(seed, int) or seed < 0:
        yield Problem("seed is a whole number from 0", repr(seed), "Write, say, 0.")


def sheet(pictures: np.ndarray, recipe: Recipe, samples: int, seed: int) -> np.ndarray:
    """The picture of a preview ``[height, width]`` or ``[height, width, 3]``, from a few pictures ``[rows, height, width, channels]``."""
    rows, height, width, channels = pictures.shape
    changed = augmented(np.repeat(pictures, samples, axis=0), recipe, seed).reshape(rows, samples, height, width, channels)
    every = np.concatenate([pictures[:, None], changed], axis=1)
    times = math.ceil(SMALLEST_SHOWN / max(height, width))
    every = every.repeat(times, axis=2).repeat(times, axis=3)
    framed = np.pad(every, ((0, 0), (0, 0), (GAP, GAP), (GAP, GAP), (0, 0)), constant_values=PAPER)
    lines = np.concatenate([*framed.transpose(0, 2, 1, 3, 4)]).reshape(-1, (samples + 1) * framed.shape[3], channels)
    apart = np.full((len(lines), 3 * GAP, channels), PAPER, np.uint8)  # between the originals and what became of them
    page = np.concatenate([lines[:, : framed.shape[3]], apart, lines[:, framed.shape[3] :]], axis=1)
    return page if channels == 3 else page[..., 0]
