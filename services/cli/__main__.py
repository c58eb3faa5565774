"""`python -m services.cli` is `duecourse`."""

from services.cli import main

main()
