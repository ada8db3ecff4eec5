//! A tower layer that admits requests at a rate, by GCRA.
