"""What is measured, each by one command that needs nothing but the package."""
