"""Joins the rooms: preview, check, send, resume and report. What the command line and embedders call."""
