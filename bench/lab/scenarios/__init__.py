"""Scenarios by family; importing the package registers them all."""
from . import application, benign, closed, firewall, gone, kill, network, proxy, views  # noqa: F401
