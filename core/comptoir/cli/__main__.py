"""``python -m comptoir.cli``: the command line without its console script."""

from comptoir.cli import main

main()
