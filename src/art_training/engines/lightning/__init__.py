"""The Lightning engine: the only code that imports lightning."""
