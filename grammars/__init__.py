"""The Lark grammars of the front end, and their loader."""
