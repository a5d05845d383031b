"""The command line: one module a command; each draws views and decides nothing."""
