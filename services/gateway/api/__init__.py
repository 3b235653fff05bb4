"""Handlers of the gateway's RPCs, and what they make of messages."""
