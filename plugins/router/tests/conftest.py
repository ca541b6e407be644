import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for routing.py

from routing import shared, world

__all__ = ["shared", "world"]
