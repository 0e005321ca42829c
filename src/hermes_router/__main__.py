"""``python -m hermes_router`` is the same as ``hermes-router``."""

from .cli.app import main

main()
