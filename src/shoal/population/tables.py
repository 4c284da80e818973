"""The rows that all networks share, padded and on the devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from shoal import devices
from shoal.data.memory import zeros
from shoal.losses import Loss
from shoal.nets.encoding import Encoding, fit
from shoal.nets.network import Layout
from shoal.nets.pixels import Pixels
from shoal.recipe import TECHNIQUES, WHOLE_BATCH, Shape
from shoal.training import Batch

EVALUATION_ROWS = 256
"""Dev rows evaluated at once. Sums over blocks of one size come out the same to the last bit whatever the padding."""

COLUMN_MULTIPLE = 8
"""Columns are padded to a multiple, so that one more category level seldom means another program."""


def capacity(rows: int) -> int:
    """The size class that a table is padded to: the next power of two above ``rows``, and at least 256.

    Example:
        >>> capacity(16_000)
        16384
    """
    return max(256, 1 << rows.bit_length())


def padded(part: Batch, columns: int) -> Batch:
    """A table in its size class and with this many columns; there is always at least one padding row, of weight 0.

    Numbers are float32, pictures stay bytes: a quarter of the memory, on the device too.
    """
    rows = capacity(len(part.x))
    x = zeros((rows, columns), np.uint8 if part.x.dtype == np.uint8 else np.float32, in_order=False)
    x[: len(part.x), : part.x.shape[1]] = part.x
    return Batch(x, padded_rows(part.target, rows), padded_rows(part.weight, rows))


def padded_rows(values: np.ndarray, rows: int) -> np.ndarray:
    """The values ``[rows, ...]`` with as many zeros after them as make it so many rows."""
    return np.pad(values, ((0, rows - len(values)), *((0, 0),) * (values.ndim - 1)))


def balancing_weights(target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``n / (C n_c)`` of each class ``[classes]``, scikit-learn's "balanced"; ``[1]`` for targets that are no classes.

    Example:
        >>> balancing_weights(np.array([0, 0, 0, 1]), np.ones(4)).tolist()  # two rows of each class would be balanced
        [0.6666666865348816, 2.0]
    """
    if target.ndim > 1 or not np.issubdtype(target.dtype, np.integer):
        return np.ones(1, np.float32)
    counts = np.bincount(target, weight)
    return (counts.sum() / (len(counts) * np.where(counts > 0, counts, 1))).astype(np.float32)


def padded_columns(columns: int) -> int:
    """Columns of the padded table."""
    return -(-max(columns, 1) // COLUMN_MULTIPLE) * COLUMN_MULTIPLE


def _on_all_devices() -> NamedSharding:
    return NamedSharding(devices.mesh(len(devices.start())), PartitionSpec())


@dataclass(frozen=True)
class Tables:
    """Train and dev rows on the devices: once, whatever the number of networks.

    Args:
        train: padded training rows.
        dev: padded dev rows.
        train_rows: how many are real.
        dev_rows: likewise.
        columns: input columns before padding.
        class_weight: what balances the classes, ``[classes]``.
        encoding: bins of the numeric columns, fitted on the training rows; of pictures, what their bytes are normalised with.
        picture: height, width and channels of pictures; ``None`` of a table.
    """

    train: Batch
    dev: Batch
    train_rows: int
    dev_rows: int
    columns: int
    class_weight: np.ndarray
    encoding: Encoding | Pixels
    picture: tuple[int, int, int] | None = None

    @classmethod
    def load(cls, train_part: Batch, dev_part: Batch, picture: tuple[int, int, int] | None = None, pixels: Pixels | None = None) -> Tables:
        """Put the rows of the two parts (``x [rows, columns]``, not padded) on the devices.

        Args:
            train_part: training rows.
            dev_part: dev rows.
            picture: height, width and channels, where each row is a picture: ``x`` are its bytes, in this order.
            pixels: what these are normalised with.
        """
        columns, whole = train_part.x.shape[1], _on_all_devices()
        room = columns if picture else padded_columns(columns)
        on_train, on_dev = (jax.device_put(padded(part, room), whole) for part in (train_part, dev_part))
        class_weight = balancing_weights(train_part.target, train_part.weight)
        encoding = fit(train_part.x) if pixels is None else pixels
        return cls(on_train, on_dev, len(train_part.x), len(dev_part.x), columns, class_weight, encoding, picture)

    def with_targets(self, train: np.ndarray, dev: np.ndarray) -> Tables:
        """The same rows with other targets ``[rows]`` that are no classes, such as those on another scale; inputs stay where they are."""
        pairs = zip((self.train, self.dev), (train, dev), strict=True)
        on_train, on_dev = (
            part._replace(target=jax.device_put(padded_rows(target, len(part.x)), _on_all_devices())) for part, target in pairs
        )
        return replace(self, train=on_train, dev=on_dev)

    @property
    def encoded(self) -> int:
        """Columns that have a piecewise-linear encoding, padded."""
        return 0 if isinstance(self.encoding, Pixels) else len(self.encoding.columns)

    def layout(self, shape: Shape, width: int, outputs: int, loss: Loss, techniques: Sequence[str] = tuple(TECHNIQUES)) -> Layout:
        """The layout of networks of a shape on these tables, whose recipes use some of the techniques."""
        encoded = self.encoded if shape.numeric_encoding != "standard" else 0
        columns = self.columns if self.picture else padded_columns(self.columns)
        shape = replace(shape, batch_size=self.batch_size(shape))
        return Layout(shape, width, columns, encoded, outputs, loss, tuple(sorted(techniques)), self.picture)

    def batch_size(self, shape: Shape) -> int:
        """Rows of a mini-batch; a batch of all rows is padded to a multiple of 256, so that a few more rows use the same program."""
        return -(-self.train_rows // EVALUATION_ROWS) * EVALUATION_ROWS if shape.batch_size == WHOLE_BATCH else shape.batch_size

    def steps_per_epoch(self, batch_size: int) -> int:
        """Mini-batches in one pass over the training rows; the last, smaller one counts."""
        return -(-self.train_rows // batch_size)
