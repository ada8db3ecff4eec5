//! A tower layer that tries again what may be tried again, within one budget.
