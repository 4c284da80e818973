"""The table of contents, ``shoal.__all__``, is what a user finds."""

from __future__ import annotations

import importlib.metadata
import inspect
import subprocess
import sys

import pytest

import shoal


def test_every_name_of_the_table_of_contents_resolves():
    assert [name for name in shoal.__all__ if not hasattr(shoal, name)] == []


def test_the_table_of_contents_is_complete_and_sorted():
    public = [name for name in dir(shoal) if not name.startswith("_") and not inspect.ismodule(getattr(shoal, name))]
    assert sorted({*public, "__version__"} - {"annotations", "TYPE_CHECKING"}) == sorted({*shoal.__all__, "__version__"})
    assert list(shoal.__all__) == sorted(shoal.__all__)


def test_every_public_name_is_documented():
    objects = {name: getattr(shoal, name) for name in shoal.__all__ if not name.startswith("__")}
    assert [name for name, value in objects.items() if callable(value) and not inspect.getdoc(value)] == []


def test_a_function_is_not_hidden_by_the_module_of_its_name():
    code = "import shoal, shoal.improve, shoal.plan; assert shoal.improve is shoal.improve and callable(shoal.improve); print(shoal.plan)"
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("<module 'shoal.plan'")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="improv_"):
        getattr(shoal, "improv_")  # noqa: B009, a plain attribute would not pass the type check


def test_the_version_is_the_installed_one():
    assert shoal.__version__ == importlib.metadata.version("shoal")


def test_importing_shoal_leaves_the_engine_for_later():
    """JAX takes longer to load than the half second that ``import shoal`` may take."""
    code = "import sys, shoal; print([name for name in ('jax', 'sklearn', 'polars', 'plotly') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
