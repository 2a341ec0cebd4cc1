"""What analysts do over HTTP: answer cases, give verdicts."""
