"""Where the repository's folders are."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples"
SHARED_FRAMES = ROOT.parent / "shared" / "data" / "frames"
