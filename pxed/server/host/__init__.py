"""What of a host keeps pxed from serving it: facts, rules, and one wording for `pxed check --host` and the log."""
