"""The model in this process: its keys and values, what of them is kept, and the logits that follow."""
