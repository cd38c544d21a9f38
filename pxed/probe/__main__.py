"""`python -m pxed.probe`: the console script pxed-probe."""

from __future__ import annotations

from pxed.probe.main import main

if __name__ == "__main__":
    main()
