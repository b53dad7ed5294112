"""HIPS autograd, the tracing differentiator of NumPy code that came first: the toy workload."""
