//! A tower layer that picks the best endpoint for every request.
