"""The import of a file, for the command and the page: sends its candles to the gateway, and reports."""
