"""What a plan costs, whether it keeps its limits, and how it does out of sample."""
