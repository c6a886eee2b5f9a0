"""Who is told of every request: traces, metrics, spans."""
