"""The page's process: the gateway for browsers, by the Connect protocol, and the page's files."""
