"""Messages to domain types and back, one module for each family of messages."""
