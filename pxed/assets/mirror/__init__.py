"""The mirror of Flatcar releases: download, verify, publish, retain."""
