"""The package's own tests: `python3 -m unittest` in the folder above. They need no worker."""

from pathlib import Path

EXAMPLES = Path(__file__).parent.parent.parent
