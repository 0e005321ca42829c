"""Where state is kept over a restart: one Protocol, several backends, one test suite."""
