"""What engines load into their own processes, so that our matcher runs where the tokens are chosen."""
