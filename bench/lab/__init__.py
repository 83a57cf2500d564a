"""Kernel lab: real Linux kernels as the oracle for why a TCP RST was sent."""
