"""What the routes answer, as types: JSON made of records and previews; no artifact is ever unpickled for it."""
