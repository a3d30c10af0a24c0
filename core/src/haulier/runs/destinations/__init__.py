"""Destinations as people handle them: made, listed, changed, checked, tried, switched on and off."""
