"""Normalisers: fitted on the training rows of one column, they bring its numbers to a scale that suits a network.

Every normaliser is plain frozen data (it is saved inside the model file) with the same two members: ``fit(values, known)``
and ``normaliser(values)``. ``values`` are float64 [rows] with missing ones filled in already, ``known`` says which were not.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from scipy.special import ndtri

from shoal.recipe import InputNormalisation

FARTHEST = 1e100
"""Numbers beyond this are taken as this, so that no square or quotient overflows float64."""

SMALLEST_INDICATOR_SD = 0.25
"""Floor of the divisor of 0/1 inputs. Divided by its own standard deviation, a level seen in 1 of 100,000 rows would become an input of 316
and rule every step in which it occurs; with this floor no 0/1 input exceeds 4, and rare levels weigh less than frequent ones."""

CLIP = 8.0
"""Where the smooth clip of numbers levels off, in standard deviations."""

SMALLEST_CLIPPED_SD = 0.5
"""Floor of the divisor after clipping; columns of ordinary shape stay well above it."""

HEAVY_TAIL = 10.0
"""A number whose farthest training value lies more standard deviations than this from the mean is taken on a logarithmic scale."""

MOST_QUANTILES = 1000
"""Quantiles that describe a column's distribution: a thousand numbers in the model file, and 0.1 % of the rows between two of them."""


class Standardiser(msgspec.Struct, frozen=True, tag="standard", tag_field="normaliser"):
    """``(x - mu) / sigma``: the training mean and the training standard deviation (not the variance, as is sometimes printed).

    Training values come out with mean 0 and variance 1, whatever their unit. ``sigma`` is the root mean squared deviation, as in
    scikit-learn's ``StandardScaler``.

    Example:
        >>> Standardiser.fit(np.array([1.0, 3.0]))(np.array([1.0, 3.0, 5.0]))
        array([-1.,  1.,  3.])
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.sd) and self.sd > 0):
            raise ValueError("a mean must be finite and a standard deviation finite and positive")

    @classmethod
    def fit(cls, values: np.ndarray, known: np.ndarray | None = None, *, smallest_sd: float = 0.0) -> Standardiser:
        """From training values [rows], filled-in ones included: those are inputs, too. A constant gets the divisor 1 and stays finite."""
        mean, sd = float(np.mean(values)), float(np.std(values))
        sd = max(sd, smallest_sd)
        return cls(mean, sd if _is_spread(sd, mean) else 1.0)

    @classmethod
    def fit_share(cls, share: float) -> Standardiser:
        """For a 0/1 input that is 1 in this share of the training rows."""
        return cls(share, max(math.sqrt(max(share * (1 - share), 0.0)), SMALLEST_INDICATOR_SD))

    def __call__(self, values):
        """The standardised values."""
        return (values - self.mean) / self.sd


class Smooth(msgspec.Struct, frozen=True, tag="smooth", tag_field="normaliser"):
    """Standardised, with logarithms of heavy tails and a smooth clip: no value, however far, becomes an input beyond 16.

    ``u = (x - mu) / sigma`` becomes ``u / sqrt(1 + (u/8)^2)``: the identity near 0, never beyond 8. This is the smooth clipping of RealMLP
    (Holzmueller, Grinsztajn and Steinwart, "Better by Default", 2024), which clips at 3; we clip later so that light tails keep their
    shape. For heavy tails (``logarithm``) ``x`` is first replaced by ``asinh((x - median) / s)`` with ``s`` the interquartile range / 1.35:
    linear near the median and logarithmic beyond. The clipped values are standardised again, so training inputs have mean 0 and standard
    deviation 1; a column that is one value but for a few rows has less, since ``SMALLEST_CLIPPED_SD`` keeps it within 16.
    """

    logarithm: Standardiser | None
    scaling: Standardiser
    standardiser: Standardiser

    @classmethod
    def fit(cls, values: np.ndarray, known: np.ndarray) -> Smooth:
        """From training values [rows]; the quartiles are those of the known ones, mean and standard deviation those of all."""
        logarithm, scaling = None, Standardiser.fit(values)
        if np.max(np.abs(scaling(values))) > HEAVY_TAIL:
            lower, median, upper = np.quantile(values[known], [0.25, 0.5, 0.75])
            spread = (upper - lower) / 1.35 or np.mean(np.abs(values - median))
            logarithm = Standardiser(float(median), float(spread))
            values = np.arcsinh(logarithm(values))
            scaling = Standardiser.fit(values)
        return cls(logarithm, scaling, Standardiser.fit(_clip(scaling(values)), smallest_sd=SMALLEST_CLIPPED_SD))

    def __call__(self, values):
        """The normalised values."""
        if self.logarithm is not None:
            values = np.arcsinh(self.logarithm(values))
        return self.standardiser(_clip(self.scaling(values)))


class Robust(msgspec.Struct, frozen=True, tag="robust", tag_field="normaliser"):
    """``(x - median) / (Q3 - Q1)``: the middle half of the training values spans 1, and outliers have no say in the scale.

    As scikit-learn's ``RobustScaler``, but where the interquartile range is 0 (most rows share one value) the divisor is the standard
    deviation: a divisor of 1 would leave the other rows in their own unit, however large.
    """

    median: float
    spread: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.median) and math.isfinite(self.spread) and self.spread > 0):
            raise ValueError("a median must be finite and a spread finite and positive")

    @classmethod
    def fit(cls, values: np.ndarray, known: np.ndarray) -> Robust:
        """From the known ones of the training values [rows]: filled-in ones would narrow the quartiles."""
        lower, median, upper = map(float, np.quantile(values[known], [0.25, 0.5, 0.75]))
        return cls(median, upper - lower if _is_spread(upper - lower, median) else Standardiser.fit(values[known]).sd)

    def __call__(self, values):
        """The normalised values."""
        return (values - self.median) / self.spread


class Quantile(msgspec.Struct, frozen=True, tag="quantile", tag_field="normaliser"):
    """``z = Phi^-1(F(x))``: to a normal distribution, through the training values' own distribution function ``F``.

    ``F`` is linear between at most ``MOST_QUANTILES`` quantiles, and a value that many rows share gets the middle of its step, as in
    scikit-learn's ``QuantileTransformer(output_distribution="normal")``. We differ at the two ends, where ``F`` is 0 and 1 and ``z``
    infinite: the lowest and the highest of n values count as half a row, ``F = 1/(2n)`` and ``1 - 1/(2n)`` (Hazen's plotting positions),
    while scikit-learn puts them at -5.2 and 5.2 however few the rows, with every row that shares the lowest value. Beyond the training
    range the curve is flat: nothing is known there but that the value is as low, or as high, as any.
    """

    quantiles: tuple[float, ...]
    limit: float
    """The normal score of the highest training value; minus this is that of the lowest."""

    def __post_init__(self) -> None:
        edges = np.asarray(self.quantiles, np.float64)
        if not edges.size or not np.isfinite(edges).all() or np.any(np.diff(edges) < 0) or not 0 <= self.limit < math.inf:
            raise ValueError("quantiles must be finite and in order, and their limit finite and not negative")

    @classmethod
    def fit(cls, values: np.ndarray, known: np.ndarray) -> Quantile:
        """From the known ones of the training values [rows]: filled-in ones would be a step in the middle."""
        values = values[known]
        quantiles = np.quantile(values, np.linspace(0, 1, min(len(values), MOST_QUANTILES)))
        return cls(tuple(quantiles.tolist()), float(-ndtri(0.5 / len(values))))

    def __call__(self, values):
        """The normal scores."""
        edges = np.asarray(self.quantiles)
        shares = np.linspace(0, 1, len(edges))
        values = np.clip(values, edges[0], edges[-1])
        # Of equal edges one interpolation takes the last and the other the first. Edges a hair apart make slopes that overflow.
        up_to = np.clip(np.interp(values, edges, shares), 0, 1)
        from_here = np.clip(np.interp(-values, -edges[::-1], shares), 0, 1)
        return np.clip(ndtri((up_to + 1 - from_here) / 2), -self.limit, self.limit)


class MinMax(msgspec.Struct, frozen=True, tag="min_max", tag_field="normaliser"):
    """``(x - min) / (max - min)``: the training minimum becomes 0 and the training maximum 1; later values may lie outside.

    As scikit-learn's ``MinMaxScaler``. One far outlier leaves all other values close together: look at ``robust`` or ``smooth`` then.
    """

    lowest: float
    width: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.lowest) and math.isfinite(self.width) and self.width > 0):
            raise ValueError("a minimum must be finite and a width finite and positive")

    @classmethod
    def fit(cls, values: np.ndarray, known: np.ndarray | None = None) -> MinMax:
        """From training values [rows]; a constant gets the divisor 1 and becomes 0."""
        lowest, highest = float(np.min(values)), float(np.max(values))
        width = highest - lowest
        return cls(lowest, width if _is_spread(width, max(abs(lowest), abs(highest))) else 1.0)

    def __call__(self, values):
        """The normalised values."""
        return (values - self.lowest) / self.width


class Unchanged(msgspec.Struct, frozen=True, tag="none", tag_field="normaliser"):
    """The raw numbers, to show what normalisation is good for, or for columns that need none, such as the pixels of an image."""

    @classmethod
    def fit(cls, values: np.ndarray, known: np.ndarray | None = None) -> Unchanged:
        """Nothing is learned."""
        return cls()

    def __call__(self, values):
        """The values."""
        return values


class MeanDivisor(msgspec.Struct, frozen=True, tag="mean", tag_field="normaliser"):
    """``y / mu`` with the training mean, for counts and rates: they keep their zero, and none becomes negative."""

    mean: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and self.mean > 0):
            raise ValueError("a mean must be finite and positive")

    @classmethod
    def fit(cls, values: np.ndarray) -> MeanDivisor:
        """From training values [rows] of at least 0, not all 0."""
        return cls(float(np.mean(values)))

    def __call__(self, values):
        """The values as multiples of the mean."""
        return values / self.mean


Normaliser = Smooth | Standardiser | Robust | Quantile | MinMax | Unchanged

NORMALISERS: dict[InputNormalisation, type[Normaliser]] = {
    "smooth": Smooth,
    "standard": Standardiser,
    "robust": Robust,
    "quantile": Quantile,
    "min_max": MinMax,
    "none": Unchanged,
}

KEEPS_INDICATORS: tuple[InputNormalisation, ...] = ("min_max", "none")
"""Where numbers are to lie within 0 and 1, or stay as they are, so do inputs that are 0 or 1."""

EvenNormaliser = Standardiser | MinMax | Unchanged


def fit_even(values: np.ndarray, normalisation: InputNormalisation) -> EvenNormaliser:
    """For values without tails, such as dates and cycles, whose ranks or quartiles say no more than mean and standard deviation.

    Args:
        values: training values [rows].
        normalisation: that of the numbers beside them.
    """
    if normalisation == "min_max":
        return MinMax.fit(values)
    return Unchanged() if normalisation == "none" else Standardiser.fit(values)


def fit_indicator(share: float, normalisation: InputNormalisation) -> Standardiser | Unchanged:
    """For a 0/1 input.

    Args:
        share: of the training rows in which it is 1.
        normalisation: that of the numbers beside it.
    """
    return Unchanged() if normalisation in KEEPS_INDICATORS else Standardiser.fit_share(share)


def _clip(values: np.ndarray) -> np.ndarray:
    return values / np.hypot(1.0, values / CLIP)


def _is_spread(spread: float, location: float) -> bool:
    """Whether it is more than the rounding errors of numbers of this size."""
    return spread > max(1e-12 * abs(location), 1.0 / FARTHEST)
