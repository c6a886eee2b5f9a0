"""Answers that were checked once, kept so that no model writes them again."""
