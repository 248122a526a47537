"""pellucid's own model: its training and what it can do."""
