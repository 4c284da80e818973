"""Programs that are traced once: their lowered form is kept on disk, for every later process.

JAX keeps what XLA has compiled, but finds it by the lowered program, which each process would have to trace from Python again; that takes
several times as long as reading what was compiled. So the lowered form (StableHLO, by ``jax.export``) is kept beside JAX's cache, under a
name made of all that it depends on: what the program is of, the shapes of its arguments, shoal's source, JAX's version and settings.
"""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
from jax import export

from shoal import devices
from shoal.errors import RunFolderError
from shoal.storage import write_atomically

_DIGEST_BYTES = 32
_OF_CONTEXT = ("jax_enable_x64", "jax_default_matmul_precision")
"""Settings that a ``with`` changes, and that lowered programs depend on."""

_logger = logging.getLogger("shoal")


class KeptProgram:
    """A compiled function of arrays; like ``jax.jit``, but traced only where no earlier process has done it.

    Args:
        function: pure; of trees of arrays, whose named tuples ``can_be_kept``.
        facts: what it closes over; their ``repr`` tells them apart, in every process alike.
        donates_first: whether the first argument's arrays are given up to the result.
    """

    def __init__(self, function: Callable[..., Any], *facts: object, donates_first: bool = False) -> None:
        self._function, self._facts, self._donated = function, facts, (0,) if donates_first else ()
        self._programs: dict[Any, Any] = {}

    def __call__(self, *arguments: Any) -> Any:
        """What the function returns; compiled at its first call with arguments of this kind."""
        kind = _kind(arguments)
        if kind not in self._programs:
            self._programs[kind] = jax.jit(self.exported(*arguments).call, donate_argnums=self._donated)
        return self._programs[kind](*arguments)

    def __len__(self) -> int:
        """How many kinds of arguments it was compiled for in this process."""
        return len(self._programs)

    def exported(self, *arguments: Any) -> export.Exported:
        """The lowered program for such arguments: from disk, or traced, and written there where programs are kept at all."""
        folder = devices.programs_folder()
        name = hashlib.sha256(repr((self._facts, _kind(arguments), _surroundings())).encode()).hexdigest()
        path = folder / "traced" / name if folder else None
        if path and (content := _read(path)) is not None:
            return export.deserialize(bytearray(content))
        traced = export.export(jax.jit(self._function))(*arguments)
        if path:
            _write(path, bytes(traced.serialize()))
        return traced


def _kind(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a program is compiled for: the structure of its arguments, each array's shape and type, and the settings of the context."""
    leaves, tree = jax.tree.flatten(arguments)
    return tree, *((leaf.shape, leaf.dtype) for leaf in leaves), *(getattr(jax.config, name) for name in _OF_CONTEXT)


def can_be_kept(kind: type[Any]) -> None:
    """Let a named tuple be an argument or a result of kept programs."""
    export.register_namedtuple_serialization(kind, serialized_name=f"{kind.__module__}.{kind.__qualname__}")


@functools.cache
def _surroundings() -> str:
    """What every program depends on beside its own facts: source, versions, settings."""
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parents[1]
    for path in sorted(package.rglob("*.py")):
        digest.update(path.read_bytes())
    plain = (bool, int, float, str)
    settings = sorted((name, value) for name, value in jax.config.values.items() if isinstance(value, plain) and "cache" not in name)
    return repr((digest.hexdigest(), version("jax"), version("jaxlib"), jax.default_backend(), settings))


def _read(path: Path) -> bytes | None:
    """What was written there; ``None`` where nothing was, or not all of it."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, content = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return content if hashlib.sha256(content).digest() == digest else None


def _write(path: Path, content: bytes) -> None:
    """Keep it; where that fails, the next process traces the program again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, hashlib.sha256(content).digest() + content, flushed=False)
    except (OSError, RunFolderError) as error:
        _logger.info("A traced program cannot be kept: %s", error)
