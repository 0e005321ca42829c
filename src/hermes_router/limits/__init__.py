"""What callers may spend: limits of a caller key, and what it has used of them. Time is passed in."""
