"""From the records of the store to what the routes answer."""
