"""The HTTP surface: plain ASGI, one module per surface under routes/."""
