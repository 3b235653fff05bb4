"""The commands, one module each: main imports only the module of the command that runs."""
