"""What the shipped configuration of the Collector holds and costs: no loss, and throughput, on the real Collector."""
