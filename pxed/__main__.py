"""`python -m pxed`: the command line. The daemon starts its own helper processes so, whatever PATH says."""

from pxed.cli import main

if __name__ == "__main__":
    main()
