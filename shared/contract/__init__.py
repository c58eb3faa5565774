"""The contract with the world: every event, its envelope, its topic, and how bytes become typed values."""
