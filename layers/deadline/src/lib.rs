//! A tower layer that gives every call one absolute deadline and carries it on.
