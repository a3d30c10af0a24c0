"""Plugins: what they may bring (hookspecs), how they are found (loading), and the frozen answer (registry).

This room asks and checks; it sends nothing, opens nothing and reads no environment.
"""
