"""Bringing pictures to one size and one number of channels.

A picture of other proportions is scaled until it covers the size, and cropped at the centre. Shrinking averages areas (Pillow's ``BOX``),
so that no pixel is skipped; enlarging is bilinear.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

SMALLEST = 4
"""Pixels that a picture has at least on either side."""

LARGEST = 64
"""Pixels on either side unless a size was asked for: larger pictures are shrunk."""

GREY_WEIGHTS = (19595, 38470, 7471)
"""Of red, green and blue in a grey value, in 1/65536: ITU-R 601-2 luma, as Pillow has it."""

_ROWS = 256


def usual_size(heights: np.ndarray, widths: np.ndarray, largest: int = LARGEST) -> tuple[int, int]:
    """The median height and width, both shrunk alike where one exceeds ``largest``.

    Example:
        >>> usual_size(np.array([28, 28, 30]), np.array([28, 28, 28])), usual_size(np.array([480]), np.array([640]))
        ((28, 28), (48, 64))
    """
    height, width = float(np.median(heights)), float(np.median(widths))
    scale = min(1.0, largest / height, largest / width)
    return max(SMALLEST, round(height * scale)), max(SMALLEST, round(width * scale))


def fitted(image: Image.Image, height: int, width: int) -> Image.Image:
    """The picture in this size: scaled to cover it and cropped at the centre."""
    if image.size == (width, height):
        return image
    scale = max(height / image.height, width / image.width)
    if scale == 1:
        left, top = (image.width - width) // 2, (image.height - height) // 2
        return image.crop((left, top, left + width, top + height))
    wide, high = min(width / scale, image.width), min(height / scale, image.height)
    left, top = (image.width - wide) / 2, (image.height - high) / 2
    filter = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    return image.resize((width, height), filter, box=(left, top, left + wide, top + high))


def as_shape(pixels: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """The pictures in this size and with these channels; those that are so already are not copied.

    Args:
        pixels: bytes ``[rows, height, width, channels]``, 1 or 3 channels.
        shape: height, width and channels wanted.
    """
    if pixels.shape[1:] == shape:
        return pixels
    height, width, channels = shape
    if pixels.shape[1:3] == (height, width):
        return _with_channels(pixels, channels)
    changed = np.empty((len(pixels), *shape), np.uint8)

    def resize(start: int) -> None:
        for row in range(start, min(start + _ROWS, len(pixels))):
            cells = np.ascontiguousarray(pixels[row])
            image = Image.fromarray(cells[..., 0] if cells.shape[2] == 1 else cells)
            resized = np.asarray(fitted(image, height, width)).reshape(1, height, width, -1)
            changed[row] = _with_channels(resized, channels)[0]

    in_threads(resize, range(0, len(pixels), _ROWS))
    return changed


def over_white(pixels: np.ndarray) -> np.ndarray:
    """Pictures whose last channel is alpha laid over white: 2 channels become 1, and 4 become 3."""
    laid = np.empty((*pixels.shape[:-1], pixels.shape[-1] - 1), np.uint8)
    for start in range(0, len(pixels), _ROWS):
        block = pixels[start : start + _ROWS]
        alpha = block[..., -1:].astype(np.uint16)
        laid[start : start + _ROWS] = (block[..., :-1] * alpha + 255 * (255 - alpha) + 127) // 255
    return laid


def in_threads(work: Callable[[int], object], starts: range, threads: int | None = None) -> None:
    """Call ``work`` with each start, in as many threads as there are cores: Pillow and NumPy let go of the interpreter."""
    if len(starts) < 2 or threads == 1:
        for start in starts:
            work(start)
        return
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        for _ in pool.map(work, starts):
            pass


def _with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    if pixels.shape[3] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=3)
    grey = np.empty((*pixels.shape[:3], 1), np.uint8)
    weights = np.array(GREY_WEIGHTS, np.uint32)
    for start in range(0, len(pixels), _ROWS):
        grey[start : start + _ROWS, ..., 0] = (pixels[start : start + _ROWS] @ weights + 0x8000) >> 16
    return grey
