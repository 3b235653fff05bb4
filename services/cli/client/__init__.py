"""The command as a gRPC client of the gateway: channel, streams, readable errors."""
