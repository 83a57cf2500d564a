"""Scenarios by family; importing the package registers them all."""
from . import application, benign, closed, firewall, gone, kill, network, views  # noqa: F401
