"""Tokenizers, token masks, engines: where a grammar meets a model."""
