"""Gradient checking: is this gradient the slope of this cost?"""

from shoal.gradcheck.check import check_gradients
from shoal.gradcheck.result import Coordinate, GradientCheck

__all__ = ["Coordinate", "GradientCheck", "check_gradients"]
