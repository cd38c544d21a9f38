#!/bin/sh
exec echo "set up" # umlaut: ä
