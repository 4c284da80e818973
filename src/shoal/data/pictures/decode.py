"""Encoded pictures, files or bytes, decoded in parallel into one array of one size."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from shoal.data.memory import zeros
from shoal.data.pictures.fitting import fitting_size
from shoal.data.pictures.reading import Wanted
from shoal.data.pictures.resize import SMALLEST, fitted, in_threads
from shoal.errors import DataError, Problem
from shoal.interval import percent
from shoal.progress import Event

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
"""What is decoded; other formats that Pillow knows are not tried, whatever a file calls itself."""

MOST_UNREADABLE = 0.1
"""A share of pictures that cannot be decoded beyond which something else is wrong than a few files."""

LISTED = 10
"""Unreadable pictures that are named."""

SAMPLED = 2000
"""Pictures whose size and mode are looked at to choose those of all; spread evenly over the set."""

SAMPLED_COLOURS = 200
"""Of those with three channels, how many are decoded to see whether the channels differ."""

COLOURFUL = 12
"""Levels by which the channels of a pixel differ where it is more than the rounding of a grey picture stored in colour."""

SHARE_COLOURFUL = 0.001
"""Of a picture's pixels that differ by so much in a picture with colour."""

SMALL = 2048
"""Encoded bytes of a picture up to which one thread decodes all. On two cores, JPEGs of 32 x 32 pixels took 0.15 ms each with one thread
and 0.22 ms with two, those of 64 x 64 (2 KB) as long with either, and those of 256 x 256 0.58 and 0.29 ms."""

_GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_ORIENTATION = 0x0112
_CHUNK = 64

Encoded = Path | np.ndarray


@dataclass(frozen=True)
class Decoded:
    """Pictures of one size.

    Args:
        pixels: bytes ``[rows, height, width, channels]`` of those that could be read.
        kept: their positions.
        notes: how many were resized, converted, and left out.
        skipped: names of those that could not be read, with the reason.
    """

    pixels: np.ndarray
    kept: np.ndarray
    notes: tuple[str, ...]
    skipped: tuple[str, ...]


class Seen(NamedTuple):
    """The size of a picture as it is shown, and whether it has three channels."""

    height: int
    width: int
    coloured: bool


def decode(pictures: Sequence[Encoded], name: Callable[[int], str], wanted: Wanted, source: str) -> Decoded:
    """Decode pictures.

    Args:
        pictures: paths, or bytes.
        name: of each, for messages.
        wanted: size and channels; by default the median of these and colour where some have it.
        source: what to call them all.

    Raises:
        DataError: more than ``MOST_UNREADABLE`` cannot be read, or they do not fit into memory.
    """
    shape, notes = _shape(pictures, wanted)
    height, width, channels = shape
    pixels = zeros((len(pictures), *shape), np.uint8, in_order=False)
    faults: dict[int, str] = {}
    counts = {"resized": 0, "converted": 0, "done": 0}
    lock = threading.Lock()

    def work(start: int) -> None:
        resized = converted = 0
        end = min(start + _CHUNK, len(pictures))
        for row in range(start, end):
            found = _decoded(pictures[row], shape)
            if isinstance(found, str):
                faults[row] = found
                continue
            pixels[row], seen = found
            resized += (seen.height, seen.width) != (height, width)
            converted += seen.coloured != (channels == 3)
        with lock:
            counts["resized"] += resized
            counts["converted"] += converted
            counts["done"] += end - start
            wanted.listener(Event("reading", source, done=counts["done"], trials=len(pictures)))

    in_threads(work, range(0, len(pictures), _CHUNK), _threads(pictures))
    kept = np.array([row for row in range(len(pictures)) if row not in faults], np.int64)
    skipped = tuple(f"{name(row)} ({faults[row]})" for row in sorted(faults))
    if len(faults) > MOST_UNREADABLE * len(pictures):
        requirement = f"at least {percent(1 - MOST_UNREADABLE, 0)} of the pictures of {source} can be read"
        received = f"{len(faults):,} of {len(pictures):,} that cannot: {listed(skipped)}"
        remedy = (
            "Replace or remove those files." if len(faults) < len(pictures) else "Check that they are PNG, JPEG, BMP, GIF or WebP files."
        )
        raise DataError(Problem(requirement, received, remedy))
    if counts["resized"]:
        how = "scaled to cover it, cropped at the centre"
        notes.append(f"{counts['resized']:,} of {len(kept):,} pictures resized to {height} x {width} ({how})")
    if counts["converted"]:
        count = counts["converted"]
        named = f"{'grey ' * (channels == 3)}picture{'s' * (count > 1)}"
        notes.append(f"{count:,} {named} converted to colour" if channels == 3 else f"{count:,} {named} stored in colour converted to grey")
    if faults:
        notes.append(f"{len(faults):,} picture{'s' * (len(faults) > 1)} that cannot be read left out: {listed(skipped)}")
        pixels = _moved_up(pixels, kept)
    return Decoded(pixels, kept, tuple(notes), skipped)


def listed(names: Sequence[str]) -> str:
    """The first of them."""
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _shape(pictures: Sequence[Encoded], wanted: Wanted) -> tuple[tuple[int, int, int], list[str]]:
    """Of all pictures, and notes about it."""
    notes: list[str] = []
    if wanted.size is not None and wanted.channels is not None:
        height, width = wanted.size
        return (height, width, wanted.channels), notes
    places = np.unique(np.linspace(0, len(pictures) - 1, min(SAMPLED, len(pictures))).astype(np.int64))
    looked: dict[int, Seen] = {}

    def look(start: int) -> None:
        for place in places[start : start + _CHUNK]:
            if (seen := _seen(pictures[place])) is not None and min(seen[:2]) >= SMALLEST:
                looked[int(place)] = seen

    in_threads(look, range(0, len(places), _CHUNK), 1 if isinstance(pictures[0], np.ndarray) else None)
    if not looked:  # none can be read, which is reported with their names
        return wanted.shape(np.array([SMALLEST]), np.array([SMALLEST]), 1), notes
    sizes = np.array([seen[:2] for seen in looked.values()])
    channels = 3 if wanted.channels is None and _any_colour(pictures, looked) else 1
    shape = wanted.shape(sizes[:, 0], sizes[:, 1], channels)
    fitting = fitting_size(len(pictures), shape, wanted.size is not None)
    if fitting.note:
        notes.append(fitting.note)
    return (fitting.height, fitting.width, shape[2]), notes


def _moved_up(pixels: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The kept rows, in place of those before them that are not, without another array of all."""
    for start in range(0, len(kept), _CHUNK):
        block = kept[start : start + _CHUNK]
        pixels[start : start + len(block)] = pixels[block]
    return pixels[: len(kept)]


def _threads(pictures: Sequence[Encoded]) -> int | None:
    """One where the pictures are small: the threads would wait for the interpreter more than they decode."""
    sizes = [_size(picture) for picture in pictures[:: max(1, len(pictures) // 20)]]
    return 1 if np.mean(sizes) < SMALL else None


def _size(picture: Encoded) -> int:
    """Encoded bytes."""
    if isinstance(picture, np.ndarray):
        return picture.size
    try:
        return picture.stat().st_size
    except OSError:
        return 0


def _any_colour(pictures: Sequence[Encoded], looked: dict[int, Seen]) -> bool:
    coloured = sorted(place for place, seen in looked.items() if seen.coloured)
    for place in coloured[:: max(1, len(coloured) // SAMPLED_COLOURS)]:
        found = _decoded(pictures[place], (*looked[place][:2], 3))
        if not isinstance(found, str):
            pixels = found[0]
            differs = pixels.max(axis=2) - pixels.min(axis=2) > COLOURFUL
            if differs.mean() > SHARE_COLOURFUL:
                return True
    return False


def _opened(picture: Encoded) -> Image.Image:
    return Image.open(picture if isinstance(picture, Path) else io.BytesIO(picture.data), formats=FORMATS)


def _seen(picture: Encoded) -> Seen | None:
    """From the header alone; ``None`` where it cannot be read."""
    try:
        with _opened(picture) as image:
            return _as_shown(image)
    except Exception:  # what a broken file makes a decoder raise is of any type
        return None


def _as_shown(image: Image.Image) -> Seen:
    width, height = image.size
    if image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8):
        width, height = height, width
    return Seen(height, width, image.mode not in _GREY_MODES)


def _decoded(picture: Encoded, shape: tuple[int, int, int]) -> tuple[np.ndarray, Seen] | str:
    """Bytes of one picture in this shape, and what it was; or why it cannot be read."""
    height, width, channels = shape
    try:
        with _opened(picture) as image:
            seen = _as_shown(image)
            if min(seen[:2]) < SMALLEST:
                return f"{seen.height} x {seen.width} pixels, fewer than {SMALLEST} on a side"
            turned = (seen.height, seen.width) != (image.height, image.width)
            # A JPEG of twice the size or more is decoded at a half, a quarter or an eighth of it: its blocks' own averages.
            image.draft(None, (2 * height, 2 * width) if turned else (2 * width, 2 * height))
            shown = fitted(plain(ImageOps.exif_transpose(image)), height, width)
            return np.asarray(shown.convert("L" if channels == 1 else "RGB")).reshape(shape), seen
    except UnidentifiedImageError:  # whose text names the place in memory
        return "no PNG, JPEG, BMP, GIF or WebP"
    except OSError as error:
        return error.strerror or (str(error).splitlines() or ["unreadable"])[0][:80]
    except Exception as error:  # what a broken file makes a decoder raise is of any type
        return (str(error).splitlines() or [type(error).__name__])[0][:80]


def plain(image: Image.Image) -> Image.Image:
    """The picture as grey (``L``) or colour (``RGB``) of 8 bits, transparent pixels laid over white, 16 bits scaled to 8."""
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image, np.float64)
        highest = max(float(values.max()), 255.0)
        scale = 255.0 / (65535.0 if image.mode != "F" and 255 < highest <= 65535 else highest)
        return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        layers = image.convert("RGBA")
        white = Image.new("RGBA", layers.size, (255, 255, 255, 255))
        grey = image.mode in ("L", "LA", "La")
        return Image.alpha_composite(white, layers).convert("L" if grey else "RGB")
    return image.convert("RGB")
