"""What every test starts from: one device per core, a cache of compiled programs that is not the user's own, no deadlines."""

import os
from collections.abc import Callable, Iterator

import jax
import numpy as np
import pytest
import torch
from hypothesis import settings

from shoal import devices
from shoal.recipe import Numbers, Recipe

# A busy machine is no reason for a law to fail.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

# The networks of the tests are tiny: PyTorch's threads would wait for each other more than they work.
torch.set_num_threads(1)


def pytest_configure(config: pytest.Config) -> None:
    """JAX starts before any test module is imported, so that none can start it with fewer devices or without the cache."""
    if cache := getattr(config, "cache", None):
        os.environ.setdefault("SHOAL_CACHE_DIR", str(cache.mkdir("programs")))
    devices.start()


LONGEST = (
    "test_guide_pages.py",
    "test_readme.py",
    "test_estimators.py",
    "test_kills.py",
    "test_resume.py",
    "test_commands.py",
    "test_invariance.py",
)
"""Files that begin first, so that none of them is the last one running while other processes have nothing left to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first; the order within a file stays."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture(scope="module", autouse=True)
def programs_of_one_module() -> Iterator[None]:
    """Compiled programs are let go after each module: thousands of them would use up memory and the process's memory maps."""
    yield
    jax.clear_caches()


@pytest.fixture
def float64() -> Iterator[None]:
    """Double precision, in which formulas can be compared to 1e-9."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def exact() -> Callable[[Recipe], Numbers]:
    """The numbers of a recipe in double precision: 1e-3 is then the 1e-3 that other libraries use, not the nearest float32."""

    def numbers(recipe: Recipe, seed: int = 0) -> Numbers:
        rounded = recipe.numbers(seed)
        own: dict[str, np.ndarray | np.float64] = {
            name: np.float64(getattr(recipe, name)) for name in Numbers._fields if isinstance(getattr(recipe, name, None), float)
        }
        own["keep_prob"] = np.asarray(recipe.keep_probs)
        own["gain"] = np.float64(recipe.initialisation_gain)
        return rounded._replace(**own)

    return numbers
