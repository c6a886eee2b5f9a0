"""Skills: packaged instructions for a model."""
