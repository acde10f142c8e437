"""What a plan means: words, binding limits, prices, changes; what repairs an infeasible one."""
