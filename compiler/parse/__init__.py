"""Text to `Document`: structure, YAML bodies, templates, nodes."""
