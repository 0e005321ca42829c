"""The words everything else is written in: requests, events, faults. No I/O, no provider names."""
