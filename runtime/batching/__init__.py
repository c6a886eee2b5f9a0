"""Requests together: a queue for engines without a scheduler, and the branches of a fork as one batch."""
