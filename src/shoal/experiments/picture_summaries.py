"""Pictures in numbers that have names: what tests of rows look at in place of columns, and what differs in words.

A test that saw the pixels themselves would need a large network to notice that pictures are blurred, and could not say so. Each number
here depends on one picture alone, so that those of two sets can be compared without anything having been fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shoal.data.pictures.encoder import PictureEncoder
from shoal.data.pictures.resize import GREY_WEIGHTS

DARK, BRIGHT = 0.1, 0.9
"""Of the range from black to white: where pixels count as nearly black, and as nearly white."""
EDGE = 51.5 / 255
"""A fifth of that range (no difference of two bytes lies on it), between a pixel and the next: a step that counts as an edge."""
DRAWN_MEAN = (90.0, 165.0)
"""Pictures in grey whose mean lies between hardly have one ground that something is drawn on."""
AREAS = 4
"""Parts of a picture in each direction whose brightness is looked at."""
WAVES = 6
"""Frequencies in each direction of the coarse pattern."""

_PIXELS = 4_000_000  # of one block, as float32


@dataclass(frozen=True, slots=True)
class Summary:
    """One number of a picture.

    Args:
        name: of the number.
        more: what pictures are of which it is larger, as in "the pictures are brighter".
        less: what the others are.
        detail: whether it is of use to a classifier rather than to a reader.
    """

    name: str
    more: str = ""
    less: str = ""
    detail: bool = False


_OF_ALL = (
    Summary("brightness", "are brighter", "are darker"),
    Summary("contrast", "have more contrast", "have less contrast"),
    Summary("share of nearly black pixels", "have more nearly black pixels", "have fewer nearly black pixels"),
    Summary("share of nearly white pixels", "have more nearly white pixels", "have fewer nearly white pixels"),
    Summary("sharpness", "are sharper or noisier", "are blurrier"),
    Summary("share of edges", "have more edges", "have fewer edges"),
    Summary("grain", "are grainier", "are smoother"),
)
_OF_DRAWINGS = (
    Summary("stroke width", "have thicker strokes", "have thinner strokes"),
    Summary("height of what is drawn", "fill more of their height", "leave more of their height empty"),
    Summary("width of what is drawn", "fill more of their width", "leave more of their width empty"),
    Summary("place from the top", "show things further down", "show things further up"),
    Summary("place from the left", "show things further right", "show things further left"),
)
_OF_COLOURS = (
    Summary("colourfulness", "are more colourful", "are less colourful"),
    Summary("red against green", "are redder", "are greener"),
    Summary("blue against yellow", "are bluer", "are yellower"),
)
_ACROSS, _DOWN = ("left", "centre left", "centre right", "right"), ("top", "upper middle", "lower middle", "bottom")
_OF_AREAS = tuple(
    Summary(f"brightness at the {down}, {across}", f"are brighter at the {down}, {across}", f"are darker at the {down}, {across}", True)
    for down in _DOWN
    for across in _ACROSS
)
_OF_PATTERN = tuple(
    Summary(f"coarse pattern {down},{across}", detail=True) for down in range(WAVES) for across in range(WAVES) if down or across
)


def summaries_of(picture: PictureEncoder) -> tuple[Summary, ...]:
    """The numbers of pictures like those of training: of colours only where there are some, of strokes only on one ground.

    Example:
        >>> grey = PictureEncoder("picture", 8, 8, 1, (30.0,), (60.0,))
        >>> [each.name for each in summaries_of(grey)][7:9]
        ['stroke width', 'height of what is drawn']
    """
    return (*_OF_ALL, *(_OF_DRAWINGS if _is_drawn(picture) else ()), *_colours(picture), *_OF_AREAS, *_OF_PATTERN)


def summarised(picture: PictureEncoder, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The numbers of each picture, in the order of ``summaries_of``.

    Args:
        picture: how they are encoded.
        pixels: bytes ``[rows, height * width * channels]``.

    Returns:
        float64 ``[rows, summaries]``, all finite.

    Example:
        >>> grey = PictureEncoder("picture", 8, 8, 1, (30.0,), (60.0,))
        >>> round(float(summarised(grey, np.full((1, 64), 51, np.uint8))[0, 0]), 6)  # a fifth of white
        0.2
    """
    found = np.empty((len(pixels), len(summaries_of(picture))))
    step = max(1, _PIXELS // picture.inputs)
    areas, waves = _averages(picture, AREAS), [_waves(length) for length in picture.shape[:2]]
    for start in range(0, len(pixels), step):
        block = pixels[start : start + step].reshape(-1, *picture.shape).astype(np.float32) / 255
        grey = block[..., 0] if picture.channels == 1 else block @ (np.array(GREY_WEIGHTS, np.float32) / 65536)
        columns = [*_of_all(grey), *(_of_drawings(grey) if _is_drawn(picture) else ())]
        if picture.channels == 3:
            columns += _of_colours(block)
        coarse = (areas[0] @ grey @ areas[1].T).reshape(len(grey), -1)
        pattern = (waves[0] @ grey @ waves[1].T).reshape(len(grey), -1)[:, 1:]
        found[start : start + step] = np.concatenate([np.stack(columns, axis=1), coarse, pattern], axis=1)
    return found


def _is_drawn(picture: PictureEncoder) -> bool:
    return picture.channels == 1 and not DRAWN_MEAN[0] < picture.means[0] < DRAWN_MEAN[1]


def _colours(picture: PictureEncoder) -> tuple[Summary, ...]:
    return _OF_COLOURS if picture.channels == 3 else ()


def _of_all(grey: NDArray) -> list[NDArray]:
    contrast = grey.std(axis=(1, 2))
    fine = grey - _smoothed(grey)
    steps = _steps(grey)
    return [
        grey.mean(axis=(1, 2)),
        contrast,
        (grey < DARK).mean(axis=(1, 2)),
        (grey > BRIGHT).mean(axis=(1, 2)),
        # of the deviations from the mean, what is lost by smoothing: it does not depend on the contrast
        np.sqrt(np.square(fine).mean(axis=(1, 2))) / np.maximum(contrast, 1 / 255),
        (steps > EDGE).mean(axis=(1, 2)),
        # of most pixels, edges left out
        np.median(np.abs(fine).reshape(len(grey), -1), axis=1),
    ]


def _of_drawings(grey: NDArray) -> list[NDArray]:
    """What is drawn are the pixels further from the ground, the median of the picture's rim, than half of the farthest."""
    rim = np.concatenate([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], axis=1)
    away = np.abs(grey - np.median(rim, axis=1)[:, None, None])
    drawn = away > np.maximum(away.max(axis=(1, 2), keepdims=True) / 2, 1 / 255)
    # A line of width w and length l covers w l pixels and has a rim of about 2 l.
    padded = np.pad(drawn, ((0, 0), (1, 1), (1, 1)))
    borders = (padded[:, 1:] != padded[:, :-1]).sum(axis=(1, 2)) + (padded[:, :, 1:] != padded[:, :, :-1]).sum(axis=(1, 2))
    size = drawn.sum(axis=(1, 2))
    found = [2 * size / np.maximum(borders, 1), *(drawn.any(axis=axis).mean(axis=1) for axis in (2, 1))]
    for axis in (2, 1):
        line = drawn.sum(axis=axis)
        places = (np.arange(line.shape[1]) + 0.5) / line.shape[1]
        found.append(np.where(size > 0, line @ places / np.maximum(size, 1), 0.5))
    return found


def _of_colours(block: NDArray) -> list[NDArray]:
    red, green, blue = (block[..., channel].mean(axis=(1, 2)) for channel in range(3))
    return [(block.max(axis=3) - block.min(axis=3)).mean(axis=(1, 2)), red - green, blue - (red + green) / 2]


def _smoothed(grey: NDArray) -> NDArray:
    """Means of 3 x 3 pixels, the rim repeated."""
    padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return (rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9


def _steps(grey: NDArray) -> NDArray:
    """The larger of a pixel's differences to the pixels below and on the right; ``[rows, height - 1, width - 1]``."""
    return np.maximum(np.abs(np.diff(grey, axis=1))[:, :, :-1], np.abs(np.diff(grey, axis=2))[:, :-1])


def _averages(picture: PictureEncoder, parts: int) -> list[NDArray[np.float32]]:
    """For each direction a matrix ``[parts, pixels]`` that averages a line of pixels over equal lengths."""
    return [_equal_lengths(length, parts) for length in picture.shape[:2]]


def _equal_lengths(length: int, parts: int) -> NDArray[np.float32]:
    edges, pixels = np.arange(parts + 1) * length / parts, np.arange(length)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (np.clip(overlap, 0, None) * parts / length).astype(np.float32)


def _waves(length: int) -> NDArray[np.float32]:
    """The lowest frequencies of a line of pixels, ``[frequencies, pixels]``: cosines (DCT-II), divided by the pixels."""
    places = (np.arange(length) + 0.5) / length
    return (np.cos(np.pi * np.arange(WAVES)[:, None] * places) / length).astype(np.float32)


Words = Callable[[float], str]


def said_of_pictures(summary: Summary, middles: Sequence[float], names: tuple[str, str], say: Words) -> str:
    """That pictures of the one set are more, or less, than those of the other.

    Args:
        summary: of the number.
        middles: its medians in both sets.
        names: of the sets.
        say: writes a number.

    Example:
        >>> said_of_pictures(_OF_ALL[0], (0.2, 0.4), ("train", "dev"), "{:.2g}".format)
        'dev pictures are brighter (brightness 0.2 in train, 0.4 in dev, medians)'
    """
    first, second = names
    whose = second.replace("rows", "pictures") if "rows" in second else f"{second} pictures"
    does = summary.more if middles[1] > middles[0] else summary.less
    return f"{whose} {does} ({summary.name} {say(middles[0])} in {first}, {say(middles[1])} in {second}, medians)"
