"""Plans and lower bounds for instances beyond exact reach. docs/allocate_heuristic.md."""
