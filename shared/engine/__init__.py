"""The epoch loop as a pure object: facts and a tick in, writes and outputs out."""
