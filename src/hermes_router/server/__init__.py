"""The HTTP surface: the server itself, and one module per surface under routes/."""
