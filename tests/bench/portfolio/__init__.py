"""How long one account takes that trades a whole market."""
