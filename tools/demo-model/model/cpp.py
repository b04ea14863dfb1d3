"""Builds C++ kernels for CPUs. PyTorch keeps them by name and builds again only where source or flags changed."""

from functools import cache

FLAGS = ["-O3", "-march=native", "-ffast-math", "-fopenmp", "-mprefer-vector-width=512"]


@cache
def build(name, source, what):
    """The compiled module; None where it cannot be built: callers use PyTorch's own kernels then."""
    try:
        from torch.utils.cpp_extension import load_inline

        return load_inline(name, source, extra_cflags=FLAGS, verbose=False)
    except Exception as error:  # noqa: BLE001
        print(f"{what} could not be built ({str(error).splitlines()[0]}); training is slower", flush=True)
        return None
