"""A question to a worker process, whose functions have to stand in a module that it can import."""

from __future__ import annotations


def of(framework: str) -> dict[str, int]:
    """Return how many threads each library of this process works with."""
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((64, 64)) @ np.ones((64, 64))
    found = {str(pool["filepath"]): int(pool["num_threads"]) for pool in threadpool_info()}
    if framework == "torch":
        import torch

        return {**found, "torch": torch.get_num_threads()}
    import tensorflow as tf

    threading = tf.config.threading
    within, between = threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads()
    return {**found, "within": within, "between": between}
