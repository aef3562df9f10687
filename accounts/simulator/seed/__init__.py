"""Worlds to start from: the bench's master, a believable demo, random ones, and drift as people cause it."""

from accounts.simulator.seed.copying import copy_configuration
from accounts.simulator.seed.demo import seed_demo
from accounts.simulator.seed.drift import drift
from accounts.simulator.seed.master import seed_master
from accounts.simulator.seed.random_account import seed_random

__all__ = ["copy_configuration", "drift", "seed_demo", "seed_master", "seed_random"]
