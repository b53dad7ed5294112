"""The same workloads in other frameworks: one folder each, none of them needed by minigan.

A folder has a module for each workload it knows, with the same `Workload(size, ...)` and `step()`
as in `benchmarks/workloads`, the same parameter names and the same losses.
"""
