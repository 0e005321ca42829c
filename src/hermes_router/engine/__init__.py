"""One request on its way to an answer: attempts in turn until one speaks. The only loop of its kind."""
