"""Simulated providers inside the process, for a machine without any key: no real model, no network."""
