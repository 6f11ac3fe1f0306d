"""Ranks as threads of this process, which the tests of the sharded network have."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "distributed_core"))
