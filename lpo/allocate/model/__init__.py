"""The allocation program row by row; exact plans, the relaxation, other objectives."""
