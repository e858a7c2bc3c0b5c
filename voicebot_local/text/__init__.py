"""Text on its way to the loudspeaker: cut into clauses and put as a person would say it."""
