"""Who calls the gateway, and what they may do."""
