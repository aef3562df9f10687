"""Texts, tables and labels that several doors show."""
