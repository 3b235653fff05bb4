"""Options and arguments of the commands, and their conversion to requests."""
