"""Speed, measured: minigan beside its peers on the same machine, in the same run.

    python -m benchmarks.compare     whole training steps, interleaved with PyTorch and others
    python -m benchmarks.roofline    what the machine can do at most, and how near each op comes
    python -m benchmarks.growth      how time grows with batch, width, image, depth, parameters
    python -m benchmarks.micro       single ops against a stored baseline
    python benchmarks/engine_overhead.py   what one recorded op costs

Each takes `--smoke` for a run of seconds that writes nothing, and says more with `--help`.
"""
