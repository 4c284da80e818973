"""Augmentation of pictures in training: flips, crops, rotation, zoom, shifts, colours and cutout, as pure functions of random numbers.

Everything is written for one network and one mini-batch. The pictures and the random numbers are those of the whole shoal and the
strengths are each network's own (``vmap`` over ``numbers`` alone), so that networks are paired: a picture that one network turns by
half of its largest angle is turned by half of its own by every other.

A picture is warped once. With ``p`` a place in the new picture and ``c`` the centre, the value there is that of the old picture at::

    c + R(-angle) (flip(p) - c) / scale + shift + crop

which is as if it were cropped and shifted first, then zoomed and turned about its centre, and mirrored at last. Beyond its border the
picture goes on with its edge pixels, which is right for black digits and does no harm to photographs. Flips and crops move whole
pixels; as soon as a network of the shoal is turned, zoomed or shifted, values between pixels are interpolated linearly along both axes.
Where all strengths of a network are 0 its pictures stay as they are, to the last bit.

Colours follow, clipped to 0..255 once: with ``grey`` the luma of a pixel (ITU-R BT.601; of other numbers of channels the mean)::

    x = x + b x;   x = x + k (x - mean of grey);   x = x + s (x - grey)

with ``b``, ``k`` and ``s`` uniform between minus and plus ``brightness``, ``contrast`` and ``saturation``. Cutout comes last: a
square around a pixel drawn at random, of which parts may lie outside, takes the mean colour (DeVries and Taylor, 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from shoal import noise
from shoal.nets.fusion import computed_once
from shoal.recipe import AUGMENTATIONS, Numbers

BETWEEN_PIXELS = frozenset(("rotation", "zoom", "shift"))
"""Techniques that need values between pixels."""

WARPS = BETWEEN_PIXELS | {"horizontal_flip", "vertical_flip", "crop"}
COLOURS = frozenset(("brightness", "contrast", "saturation"))
PAINTS = COLOURS | {"cutout"}

BRIGHTEST = 255.0
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey (ITU-R BT.601)."""

WIDTHS = {name: 2 if name in ("crop", "shift", "cutout") else 1 for name in AUGMENTATIONS}
"""How many random numbers each technique needs per row; of two, the first is along the height."""


class Draws(NamedTuple):
    """Numbers between 0 and 1, ``[rows, 1]`` or ``[rows, 2]`` (see ``WIDTHS``); ``None`` for what no network of the shoal uses."""

    horizontal_flip: Any = None
    vertical_flip: Any = None
    crop: Any = None
    rotation: Any = None
    zoom: Any = None
    shift: Any = None
    brightness: Any = None
    contrast: Any = None
    saturation: Any = None
    cutout: Any = None


def is_augmented(techniques: Sequence[str]) -> bool:
    """Whether pictures are changed by any of these techniques."""
    return any(name in techniques for name in AUGMENTATIONS)


def draw_augmentation(techniques: Sequence[str], name: Array, rows: int, dtype: Any = jnp.float32) -> Draws:
    """The random numbers of one mini-batch, for a whole shoal.

    Each technique has a stream of its own, so that what it draws depends neither on the others nor on the number of rows.

    Args:
        techniques: of the shoal; others than augmentations are passed over.
        name: the stream of this step (see ``shoal.noise.stream``).
        rows: of the mini-batch.
        dtype: of the numbers.
    """
    used = {each: noise.stream(name, number) for number, each in enumerate(AUGMENTATIONS) if each in techniques}
    return Draws(**{each: noise.uniform(noise.bits(stream, rows, WIDTHS[each]), dtype) for each, stream in used.items()})


def augment(x: Array, numbers: Numbers, draws: Draws, techniques: Sequence[str], mean: Array) -> Array:
    """The pictures of a mini-batch as one network sees them in one training step.

    Args:
        x: ``[rows, height, width, channels]``, values from 0 to 255 of a floating-point type.
        numbers: of one network; the settings in ``AUGMENTATIONS`` count.
        draws: the random numbers of this step, the same for every network.
        techniques: what any network of the shoal uses.
        mean: ``[channels]`` the mean colour of the training pictures, which fills erased squares.

    Returns:
        Pictures of the same shape and type, with values from 0 to 255.
    """

    def warped(x: Array) -> Array:
        if BETWEEN_PIXELS & {*techniques}:
            return _interpolated(x, *_places(x, numbers, draws, techniques))
        return _gathered(x, *_pixels(x, numbers, draws, techniques))

    def painted(x: Array) -> Array:
        if COLOURS & {*techniques}:
            x = _coloured(x, numbers, draws, techniques)
        return _erased(x, numbers.cutout, draws.cutout, mean) if "cutout" in techniques else x

    always = next((each for each in draws if each is not None), jnp.zeros((1, 1)))[0, 0] >= 0  # no draw is below 0
    for change, names in ((warped, WARPS), (painted, PAINTS)):
        if names & {*techniques}:
            x = computed_once(change, x, always)
    return x


def _flipped(name: str, position: Array, last: int, numbers: Numbers, draws: Draws, techniques: Sequence[str]) -> Array:
    """Positions ``[..., side]`` along one axis, counted from the other end in the rows that are mirrored."""
    if name not in techniques:
        return position
    return jnp.where(getattr(draws, name) < getattr(numbers, name), last - position, position)


def _cropped(side: int, axis: int, numbers: Numbers, draws: Draws) -> Array:
    """How far the crop moves along one axis, ``[rows, 1]`` in whole pixels."""
    added = jnp.round(numbers.crop * side)
    # The largest draw may round up to one pixel more.
    return jnp.minimum(jnp.floor(draws.crop[:, axis, None] * (2 * added + 1)), 2 * added) - added


def _pixels(x: Array, numbers: Numbers, draws: Draws, techniques: Sequence[str]) -> list[Array]:
    """Which pixel of the old picture stands at each place of the new one: ``[rows, height]`` and ``[rows, width]``."""
    found = []
    for axis, (side, flip) in enumerate(zip(x.shape[1:3], ("vertical_flip", "horizontal_flip"), strict=True)):
        position = jnp.broadcast_to(jnp.arange(side), (len(x), side))
        position = _flipped(flip, position, side - 1, numbers, draws, techniques)
        if "crop" in techniques:
            position = position + _cropped(side, axis, numbers, draws).astype(position.dtype)
        found.append(jnp.clip(position, 0, side - 1))
    return found


def _places(x: Array, numbers: Numbers, draws: Draws, techniques: Sequence[str]) -> tuple[Array, Array]:
    """Where in the old picture each pixel of the new one comes from: two arrays ``[rows, height, width]``."""
    rows, height, width, _ = x.shape
    middle = (height - 1) / 2, (width - 1) / 2
    # Multiples of one half, and so exact.
    down = jnp.broadcast_to(jnp.arange(height, dtype=x.dtype), (rows, height))
    across = jnp.broadcast_to(jnp.arange(width, dtype=x.dtype), (rows, width))
    down = (_flipped("vertical_flip", down, height - 1, numbers, draws, techniques) - middle[0])[:, :, None]
    across = (_flipped("horizontal_flip", across, width - 1, numbers, draws, techniques) - middle[1])[:, None, :]
    if "zoom" in techniques:
        smaller = jnp.exp(-jnp.log1p(numbers.zoom) * (2 * draws.zoom - 1))[:, :, None]
        down, across = down * smaller, across * smaller
    if "rotation" in techniques:
        angle = (jnp.deg2rad(numbers.rotation) * (2 * draws.rotation - 1))[:, :, None]  # counter-clockwise
        down, across = jnp.cos(angle) * down + jnp.sin(angle) * across, jnp.cos(angle) * across - jnp.sin(angle) * down
    found = []
    for axis, (place, side) in enumerate(zip((down, across), (height, width), strict=True)):
        place = place + middle[axis]
        if "shift" in techniques:
            place = place + (numbers.shift * side * (2 * draws.shift[:, axis, None] - 1))[:, :, None]
        if "crop" in techniques:
            place = place + _cropped(side, axis, numbers, draws)[:, :, None]
        found.append(jnp.broadcast_to(jnp.clip(place, 0, side - 1), (rows, height, width)))
    return found[0], found[1]


def _gathered(x: Array, y: Array, across: Array) -> Array:
    """The pixels at rows ``y [rows, height]`` and columns ``across [rows, width]``.

    One gather of pixels; on a CPU it was 30 times as fast as products with one-hot matrices, and 3 times as fast as slices.
    """
    return _at(x, y[:, :, None], across[:, None, :])


def _interpolated(x: Array, y: Array, across: Array) -> Array:
    """The values at places between pixels, each array ``[rows, height, width]`` and inside the picture."""
    top, left = jnp.floor(y), jnp.floor(across)
    down, right = (y - top)[..., None], (across - left)[..., None]
    top, left = top.astype(jnp.int32), left.astype(jnp.int32)
    # At the last row the one below counts 0: a picture that stays where it is stays exact.
    below, beside = jnp.minimum(top + 1, x.shape[1] - 1), jnp.minimum(left + 1, x.shape[2] - 1)
    upper = _between(_at(x, top, left), _at(x, top, beside), right)
    lower = _between(_at(x, below, left), _at(x, below, beside), right)
    return _between(upper, lower, down)


def _between(first: Array, second: Array, share: Array) -> Array:
    return first + share * (second - first)


def _at(x: Array, y: Array, across: Array) -> Array:
    """Pixels ``[rows, height, width, channels]`` by their places, which broadcast to ``[rows, height, width]``."""
    rows, height, width, channels = x.shape
    flat = (jnp.arange(rows)[:, None, None] * height + y) * width + across
    return jnp.take(x.reshape(-1, channels), flat, axis=0, mode="clip")


def _grey(x: Array) -> Array:
    """``[rows, height, width, 1]``."""
    if x.shape[-1] != len(LUMA):
        return x.mean(-1, keepdims=True)
    # A product of matrices or a sum over the last axis is 2 to 13 times as slow on a CPU.
    red, green, blue = (weight * x[..., place, None] for place, weight in enumerate(LUMA))
    return red + green + blue


def _coloured(x: Array, numbers: Numbers, draws: Draws, techniques: Sequence[str]) -> Array:
    """The pictures in other colours, clipped to 0..255."""

    def change(name: str) -> Array:
        """Between minus and plus the strength, ``[rows, 1, 1, 1]``."""
        return (getattr(numbers, name) * (2 * getattr(draws, name) - 1))[:, :, None, None]

    # In the form x + 0 (x - grey), which leaves x as it is to the last bit. Grey is computed once and goes through the same changes.
    grey = _grey(x)
    middle = grey.mean((1, 2), keepdims=True)
    if "brightness" in techniques:
        x, grey, middle = (each + change("brightness") * each for each in (x, grey, middle))
    if "contrast" in techniques:
        x, grey = (each + change("contrast") * (each - middle) for each in (x, grey))
    if "saturation" in techniques and x.shape[-1] > 1:
        x = x + change("saturation") * (x - grey)
    return jnp.clip(x, 0.0, BRIGHTEST)


def _erased(x: Array, share: Array, place: Array, mean: Array) -> Array:
    """The pictures with a square of the mean colour; ``place [rows, 2]`` between 0 and 1."""
    _, height, width, _ = x.shape
    side = jnp.round(share * min(height, width))

    def is_inside(axis: int, length: int) -> Array:
        first = jnp.floor(place[:, axis, None] * length) - jnp.floor(side / 2)
        position = jnp.arange(length, dtype=place.dtype)
        return (position >= first) & (position < first + side)

    hidden = is_inside(0, height)[:, :, None, None] & is_inside(1, width)[:, None, :, None]
    return jnp.where(hidden, mean, x)
