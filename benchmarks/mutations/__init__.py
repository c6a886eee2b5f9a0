"""Mutations of clean documents, each of which breaks one rule of lint on a line that is known."""
