"""Compiles the translations of the core and of the plugins, each `.po` file that changed, to the `.mo` beside it."""

from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    for source in sorted([*ROOT.glob("core/comptoir/**/*.po"), *ROOT.glob("plugins/*/*/**/*.po")]):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        with source.open("rb") as file:
            catalog = read_po(file)
        with target.open("wb") as file:
            write_mo(file, catalog)
        print(f"compiled {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
