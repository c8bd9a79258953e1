"""``comptoir plugin translations``: the words of a plugin in every language of Comptoir."""

from __future__ import annotations

from pathlib import Path

import click

from comptoir.cli.terminal import say
from comptoir.errors import ComptoirError
from comptoir.i18n import _


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def translations(folder: Path) -> None:
    """Collect the messages of a plugin into its catalogues, and compile them.

    FOLDER holds its pyproject.toml. A message that is gone leaves the catalogues, a new one stands there untranslated.
    """
    from comptoir.catalogues import compile_catalogues, extract, untranslated

    packages = [path.parent for path in sorted(folder.glob("comptoir_*/plugin.py"))]
    if not packages:
        raise ComptoirError(
            _(
                "{folder} holds no package comptoir_… with a plugin.py. Name the folder of its pyproject.toml.",
                folder=folder,
            )
        )
    for package in packages:
        extract(package, project=package.name.replace("_", "-"))
        compile_catalogues(package)
        for language, count in untranslated(package).items():
            path = package / "translations" / language / "LC_MESSAGES" / "messages.po"
            say(_("{file}: {count} without a translation", file=path, count=count))
