"""``python -m agentic_dsl.cli``: the command line where no script is installed."""

from agentic_dsl.cli.app import main

main()
