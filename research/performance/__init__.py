"""Measured, not promised: each benchmark reports medians and what it ran on."""
