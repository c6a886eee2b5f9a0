"""What engines behind servers share: connections, attempts, answers."""
