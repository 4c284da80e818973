"""Where the networks train: every device that JAX sees, CPU cores included, and the cache of compiled programs."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import platformdirs
from jax.sharding import Mesh

from shoal.nets.division import EXAMPLES

AXIS = "network"
"""The mesh axis over which networks are divided."""

_logger = logging.getLogger("shoal")
_compilations = 0


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def start() -> tuple[Any, ...]:
    """Start JAX with one device per CPU core and a persistent cache of compiled programs, and return the devices.

    Where the program around shoal has started JAX already, or has set the cache, that is left as it is and said once.
    """
    try:
        jax.config.update("jax_num_cpu_devices", cores())
    except RuntimeError:  # JAX refuses once its devices exist
        if jax.default_backend() == "cpu" and len(jax.devices()) < cores():
            _logger.warning("JAX was already started with %d device(s) for %d cores; shoal uses those.", len(jax.devices()), cores())
    _use_cache()
    jax.monitoring.register_event_listener(_count_cache_hit)
    jax.monitoring.register_event_duration_secs_listener(_count_request)
    return tuple(jax.devices())


def mesh(networks: int, parts_among: Callable[[int], int] = lambda devices: 1) -> Mesh:
    """The devices that a shoal of this many slots works on: the most that divide it, and the examples of a mini-batch, evenly.

    Args:
        networks: slots; devices along the axis ``AXIS`` each have their share of them.
        parts_among: over how many of so many devices the examples of a mini-batch are divided, along the axis ``EXAMPLES``.
    """
    devices = start()
    own = [count for count in range(1, len(devices) + 1) if networks % count == 0]
    used, parts = max(((count, parts_among(len(devices) // count)) for count in own), key=lambda each: (each[0] * each[1], each[0]))
    return Mesh(np.array(devices[: used * parts]).reshape(used, parts), (AXIS, EXAMPLES))


def programs_folder() -> Path | None:
    """Where compiled programs are kept for later processes; ``None`` where they are not, or not in a folder."""
    folder = jax.config.values["jax_compilation_cache_dir"]
    return Path(folder) if folder and "://" not in folder else None


def compilations() -> int:
    """Programs compiled so far in this process; those read from the persistent cache do not count."""
    return _compilations


def _use_cache() -> None:
    if jax.config.values["jax_compilation_cache_dir"] is not None:
        return
    folder = Path(os.environ.get("SHOAL_CACHE_DIR") or platformdirs.user_cache_dir("shoal")) / "programs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        _logger.info("No permission to write %s: compiled programs are not kept for the next run.", folder)
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _count_request(event: str, duration_secs: float, **_: object) -> None:
    global _compilations
    if event == "/jax/core/compile/backend_compile_duration":
        _compilations += 1


def _count_cache_hit(event: str, **_: object) -> None:
    global _compilations
    if event == "/jax/compilation_cache/cache_hits":  # reported inside the request that it answers
        _compilations -= 1
