"""What no file of the platform or of a plugin may be: longer than one sitting, or told by the browser where its reader was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST = 500


def sources() -> Iterator[Path]:
    for folder in (ROOT / "core/comptoir", *ROOT.glob("plugins/*/comptoir_*")):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".html", ".js") and not {"vendor", "migrations"} & set(path.parts):
                yield path


def test_no_file_is_longer_than_one_sitting() -> None:
    long = {str(path.relative_to(ROOT)): n for path in sources() if (n := path.read_text().count("\n")) > LONGEST}
    assert long == {}


def test_a_page_says_itself_where_its_reader_was() -> None:
    """A browser need not send the header, sends it without the path between sites, and other pages decide what it says."""
    assert [str(path.relative_to(ROOT)) for path in sources() if "referer" in path.read_text().lower()] == []
