"""Constraints to grammar: representation, lowering, dialects."""
