"""`spd serve`: post a photo once, ask it over HTTP as often as you like (`docs/serving.md`)."""
