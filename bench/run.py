"""Run the benchmarks that need no data of yours: `make bench`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    for script, arguments in (
        ("loop.py", []),
        ("startup.py", [str(HERE.parent / "docs")]),
        ("plugins.py", []),
    ):
        print(f"\n$ python bench/{script} {' '.join(arguments)}", flush=True)
        subprocess.run([sys.executable, str(HERE / script), *arguments], check=True)
    print("\nWith data of yours: bench/{store,query,embedding,chunking}.py --help")
    print("... and python -m bench.{quality,calibrate} --help")


if __name__ == "__main__":
    main()
