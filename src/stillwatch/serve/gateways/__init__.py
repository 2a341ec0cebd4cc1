"""What gateways ask, each in its own protocol: every module answers one, from the same snapshot of decisions."""
