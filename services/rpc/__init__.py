"""gRPC servers and channels: status, TLS, health, interceptors, streams that resume."""
