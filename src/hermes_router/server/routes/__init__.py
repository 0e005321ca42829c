"""One module per surface: read the call, run it, write the answer."""
