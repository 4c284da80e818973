"""Draws the figures whose sources have changed, or those that are named: ``python -m figures [NAME ...]``, in docs/."""

from __future__ import annotations

import sys
import time

from figures import cache, registry
from shoal import devices


def main() -> None:
    """Draw and keep figures, and forget what they were before."""
    devices.start()
    for name in sys.argv[1:] or cache.stale():
        since = time.perf_counter()
        text = registry.draw(name).html(name)
        cache.KEPT.mkdir(parents=True, exist_ok=True)
        for old in cache.KEPT.glob(f"{name}-{'[0-9a-f]' * 16}.html"):
            old.unlink()
        cache.file_of(name).write_text(text)
        sys.stderr.write(f"figure {name}: {time.perf_counter() - since:.1f} s, {len(text) / 1000:.0f} KB\n")


if __name__ == "__main__":
    main()
