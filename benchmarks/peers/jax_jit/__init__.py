"""JAX on the CPU, each step compiled by `jax.jit`: the toy workload."""
