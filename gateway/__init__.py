"""What is hosted, and who may call it."""
