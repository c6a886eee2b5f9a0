"""Hypothesis strategies for documents, texts, requests and answers; each module says which."""
