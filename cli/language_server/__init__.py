"""The language server: what editors show of documents, over the Language Server Protocol.

`server` speaks the protocol and is the one file that imports pygls; every other file answers one kind of question.
"""
