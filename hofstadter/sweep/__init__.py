"""From a run file to a filled store: plan, executors, run."""
