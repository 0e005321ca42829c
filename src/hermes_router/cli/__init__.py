"""The command line: ``hermes-router`` and ``hr``, which are the same program. One file per command; see ``app.py``."""
