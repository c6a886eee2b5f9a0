"""Valid-by-construction agent programs."""
