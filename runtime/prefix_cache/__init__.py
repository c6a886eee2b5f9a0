"""Prefixes that were computed once, kept by what they are: a radix tree of keys and values with typed segments."""
