"""The main job: pretraining, robust training and evaluation of one configuration."""
