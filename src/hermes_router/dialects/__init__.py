"""Inbound APIs. Adding one: a module here and a row in ``registry.py``."""
