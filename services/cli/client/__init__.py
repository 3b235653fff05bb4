"""The command's calls: channel, streams, errors."""
