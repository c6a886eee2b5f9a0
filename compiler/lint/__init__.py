"""Lint: rules as data, what they find in documents, and how findings are left out, mended and shown."""
