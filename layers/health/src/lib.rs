//! A tower layer that takes endpoints out of the balance while they keep failing.
