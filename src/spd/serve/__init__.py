"""`spd serve`: post a photo once, query it over HTTP as often as you like (`docs/serving.md`)."""
