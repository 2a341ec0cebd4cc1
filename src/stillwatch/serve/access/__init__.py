"""Who may ask, and how much: keys of programs, tokens of people, limits on what is sent."""
