"""`python -m maskwright` is the command line too."""

from maskwright.cli import main

main()
