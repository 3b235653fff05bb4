"""The scripts in protos/, which is a folder of scripts and no package."""

import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
sys.path.append(str(PROJECT / "protos"))
