"""What the text of a scoring script gives away: it is parsed, and never imported (design, D9)."""
