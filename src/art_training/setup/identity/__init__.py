"""Reading code, values and contents so that they can be compared across processes, machines and days."""
