"""The routes, a module for each thing they show, each with the permission that it needs."""
