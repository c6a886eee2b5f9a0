"""The rules of a valid document, one family a file."""
