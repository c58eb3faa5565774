"""The same engine over an in-memory log, under one seed."""
