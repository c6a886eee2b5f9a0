"""Measurements and large-scale checks; each module runs by itself."""
