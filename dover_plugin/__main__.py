"""``python -m dover_plugin`` is the command ``dover``."""

from dover_plugin.cli import main

main()
