"""shoal makes the neural network for your data as good as it can be, and shows its evidence.

The names below are loaded when they are first used, so that ``import shoal`` does not start JAX.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shoal.augmented_pictures import augmented, preview_augmentation
    from shoal.comparison import compare
    from shoal.diagnosis import diagnose, diagnose_estimator
    from shoal.errors import DataError, InputError, OptionError, RunFolderError, ShoalError
    from shoal.estimators import ShoalClassifier, ShoalRegressor
    from shoal.gradcheck import GradientCheck, check_gradients
    from shoal.improve import default_space_of, improve, plan_search, resume, search, train
    from shoal.measure_more import measure_more
    from shoal.model import Model
    from shoal.new_rows import check_new_rows
    from shoal.parameters import Choice, Range
    from shoal.recipe import Recipe
    from shoal.recipe_file import read_recipe, write_recipe
    from shoal.records import Diagnosis
    from shoal.refit import refit
    from shoal.report import write_report
    from shoal.result import Result
    from shoal.space import Space
    from shoal.space_file import read_space, write_space
    from shoal.try_change import try_change

__version__ = "0.1.0"

_HOMES = {
    "Choice": "parameters",
    "DataError": "errors",
    "Diagnosis": "records",
    "GradientCheck": "gradcheck",
    "InputError": "errors",
    "Model": "model",
    "OptionError": "errors",
    "Range": "parameters",
    "Recipe": "recipe",
    "Result": "result",
    "RunFolderError": "errors",
    "ShoalClassifier": "estimators",
    "ShoalError": "errors",
    "ShoalRegressor": "estimators",
    "Space": "space",
    "augmented": "augmented_pictures",
    "check_gradients": "gradcheck",
    "check_new_rows": "new_rows",
    "compare": "comparison",
    "default_space_of": "improve",
    "diagnose": "diagnosis",
    "diagnose_estimator": "diagnosis",
    "improve": "improve",
    "measure_more": "measure_more",
    "plan_search": "improve",
    "preview_augmentation": "augmented_pictures",
    "read_recipe": "recipe_file",
    "read_space": "space_file",
    "refit": "refit",
    "resume": "improve",
    "search": "improve",
    "train": "improve",
    "try_change": "try_change",
    "write_recipe": "recipe_file",
    "write_report": "report",
    "write_space": "space_file",
}

_MODULES = ("averages",)
"""Modules that are of use on their own, as ``shoal.averages.of(...)``."""

__all__ = [
    "Choice",
    "DataError",
    "Diagnosis",
    "GradientCheck",
    "InputError",
    "Model",
    "OptionError",
    "Range",
    "Recipe",
    "Result",
    "RunFolderError",
    "ShoalClassifier",
    "ShoalError",
    "ShoalRegressor",
    "Space",
    "augmented",
    "check_gradients",
    "check_new_rows",
    "compare",
    "default_space_of",
    "diagnose",
    "diagnose_estimator",
    "improve",
    "measure_more",
    "plan_search",
    "preview_augmentation",
    "read_recipe",
    "read_space",
    "refit",
    "resume",
    "search",
    "train",
    "try_change",
    "write_recipe",
    "write_report",
    "write_space",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"shoal.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'shoal' has no attribute {name!r}")
    return getattr(import_module(f"shoal.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class _TableOfContents(ModuleType):
    """Loading the module ``shoal.improve`` must not hide the function ``shoal.improve`` behind it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _TableOfContents
