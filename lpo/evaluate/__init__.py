"""Trained runs judged on any test set: decisions in whole GPUs, costs in dollars, rolling plans."""
