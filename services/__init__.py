"""One rule set each; services know topics, never one another."""
