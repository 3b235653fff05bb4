"""The `backcast` command: a client of the gateway, and commands for servers and database."""
