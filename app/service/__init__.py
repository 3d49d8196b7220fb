"""Where jobs run: executors, worker processes, scheduling, and restarts after a crash."""
