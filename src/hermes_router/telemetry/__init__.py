"""What operators see: the request log, usage, the story of one request, the state of the pool. Metadata only."""
