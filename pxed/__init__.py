"""pxed: a PXE infrastructure daemon. Packages follow the data: see CONTRIBUTING.md for what lives where."""

__version__ = "0.1.0"
