"""What crosses a process or the wire, typed: requests, records, events, problems, arrays."""
