"""The live service: traffic taken in as it comes, judged in cycles, decisions answered."""
