"""Performance beside a peer, measured in the same run: `make bench`. No test asserts a time."""
