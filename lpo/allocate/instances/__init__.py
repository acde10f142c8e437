"""Instances: presets and generators, files, traces, scaled and shifted numbers."""
