"""The documents: what they name exists, and what they show is what happens."""
