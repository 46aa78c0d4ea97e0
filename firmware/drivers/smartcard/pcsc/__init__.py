"""Readers and connections of PC/SC."""
