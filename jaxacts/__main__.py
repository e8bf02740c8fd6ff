"""`python -m jaxacts`: the command line."""

import sys

from jaxacts.cli import main

if __name__ == "__main__":
    sys.exit(main())
