"""Thousands of tiny deployments, each under one seed, each with faults of its own choice, each judged."""
