"""Measure hofstadter against NumPy, plain JAX and (on a GPU) CuPy, on the same matrices in the same process.

    python benchmarks/run.py [--quick] [--json FILE] [--check FILE] [--blas-threads 1|all] [--cores N] [--only TEXT]

Ours and the rival run in turn and the smallest time of each counts, so that other work on the machine disturbs
both alike. Ours always spreads a batch over all cores; `--blas-threads` says how many threads the rival's BLAS may
use, and `--cores 1` holds everything on one core, which compares algorithms alone. The CuPy lines are untested.
Lines that FILE holds already are kept where they are not measured again, so that `--only` can do a run in parts.
`--check` fails where a ratio is less than half of that in a stored table of the same sizes (not with `--quick`).

On a GPU the same command makes the table of the GPU: JAX picks it, and CuPy is the rival where it is installed.
The column "speed" is the rate of floating-point operations that the algorithm needs, where these are known, and its
part of what `numpy` reaches on this machine's CPU with a matrix product in the same run (on a GPU, `jax.numpy` there);
where memory is the limit, also the rate of bytes and its part of that of a copy.
"""

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller sizes: is everything in order?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="store the table here")
    parser.add_argument("--check", type=Path, metavar="FILE", help="compare ratios with this table, fail if they fell")
    parser.add_argument("--blas-threads", choices=["1", "all"], default="1", help="threads of the rival's BLAS")
    parser.add_argument("--cores", type=int, metavar="N", help="cores that the whole process may use")
    parser.add_argument("--only", default="", metavar="TEXT", help="benchmarks with this text in their name")
    return parser.parse_args()


def set_threads(blas_threads: str, cores: int | None) -> None:
    """Must come before NumPy and JAX are imported, because their thread pools never change size."""
    if cores is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        if blas_threads == "1":
            os.environ[name] = "1"
        else:
            os.environ.pop(name, None)


def main() -> int:
    options = arguments()
    set_threads(options.blas_threads, options.cores)
    import jax

    if options.check is not None and options.quick:
        print("--check needs the sizes of the stored table, not --quick.", file=sys.stderr)
        return 2
    jax.config.update("jax_enable_x64", True)
    import block_kernels
    import check
    import continuum
    import counting
    import fans
    import fresh
    import interactions
    import measure
    import report
    import rivals
    import spectra
    import sturm_kernels
    import sweeps
    import topology

    benchmarks = [
        spectra.batched_dense,
        spectra.square_butterfly,
        rivals.other_packages,
        counting.density_maps,
        counting.counts_at_corners,
        counting.gap_labels,
        fans.landau_fans,
        sturm_kernels.sturm_counts,
        sturm_kernels.sturm_levels,
        block_kernels.ring_counts,
        block_kernels.small_determinants,
        topology.all_bands,
        continuum.moire_spectra,
        continuum.low_fields,
        continuum.windows,
        interactions.exchange_energies,
        sweeps.small_tasks,
        sweeps.functions,
        fresh.cold_starts,
        fresh.bounded_memory,
    ]
    surroundings = measure.surroundings(options.blas_threads, options.quick)
    peak, bandwidth = measure.peak_flops(), measure.peak_bandwidth()
    done = {}
    for benchmark in benchmarks:
        name = benchmark.__name__
        if options.only in name:
            print(f"{name} ...", file=sys.stderr, flush=True)
            done[name] = list(benchmark(options.quick))
    lines = [line for part in done.values() for line in part]
    report.print_table(surroundings, lines, peak, bandwidth)
    if options.json is not None:
        rows = _stored_rows(options.json, surroundings)
        for name, part in done.items():
            rows[name] = [dataclasses.asdict(line) | {"benchmark": name, "ratio": line.ratio} for line in part]
        ordered = [row for benchmark in benchmarks for row in rows.get(benchmark.__name__, [])]
        text = json.dumps(surroundings | {"lines": ordered}, indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    if options.check is not None:
        sentences, compared = check.regressions(json.loads(options.check.read_text(encoding="utf-8")), lines)
        print(f"{compared} ratios compared with {options.check}, {len(sentences)} of them fell.", *sentences, sep="\n")
        return 1 if sentences or not compared else 0
    return 0


def _stored_rows(path: Path, surroundings: dict) -> dict[str, list[dict]]:
    """Lines that the file holds already, by benchmark, if they were measured in the same surroundings."""
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"lines": []}
    rows: dict[str, list[dict]] = {}
    if all(stored.get(name) == value for name, value in surroundings.items() if name != "load_average_at_start"):
        for row in stored["lines"]:
            rows.setdefault(row["benchmark"], []).append(row)
    return rows


if __name__ == "__main__":
    sys.exit(main())
