"""How findings are printed for programs: one format a file, each a function from reports to text."""
