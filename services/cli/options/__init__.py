"""Options and arguments of commands, and the requests that they make."""
