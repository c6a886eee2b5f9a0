"""Two versions of a library: what has changed for those who call it, and the version that says so."""
