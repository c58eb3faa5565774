"""Coverage-guided search for input that hurts: `make fuzz`. What it has found is replayed by `make test`."""
