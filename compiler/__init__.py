"""Text to document, document to findings, constraints to grammar."""
