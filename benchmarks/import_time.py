"""How long ``import shoal`` takes in a new process: the median must stay under half a second, with JAX not loaded.

python benchmarks/import_time.py
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

LIMIT = 0.5
PROGRAM = """
import json, sys, time
start = time.perf_counter()
import shoal
print(json.dumps([time.perf_counter() - start, "jax" in sys.modules]))
"""


def main() -> None:
    measured = [json.loads(subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True).stdout) for _ in range(7)]
    seconds = statistics.median(seconds for seconds, _ in measured)
    loaded = any(loaded for _, loaded in measured)
    print(f"import shoal: {seconds:.3f} s (limit {LIMIT} s), JAX {'loaded' if loaded else 'not loaded'}")
    sys.exit(int(seconds > LIMIT or loaded))


if __name__ == "__main__":
    main()
