"""Traffic taken in as it comes: over HTTP, from growing files, Kafka and LiteLLM's database, into the spool."""
