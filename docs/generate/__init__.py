"""Reference pages and man pages made from pxed's own code. Not part of the wheel.

`commands` reads the two programs' command lines into plain values.
"""
