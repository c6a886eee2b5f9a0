"""`agentic-dsl serve`: somebody else's server, started with our plug-in and supervised."""
