"""Rooms of who works on what: claims of account runs and masters, processes that live, calls for lanes."""
