"""Staggered starts in schools."""
