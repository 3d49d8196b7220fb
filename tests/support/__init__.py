"""What several tests, benchmarks and tools use: networks, servers, a browser, hosts and pictures that misbehave."""
