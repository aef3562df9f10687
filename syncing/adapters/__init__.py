"""Engine values to and from Kommo's JSON; no Django."""
