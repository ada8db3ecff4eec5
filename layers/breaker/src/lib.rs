//! A tower layer that stops calling a service that keeps failing, and probes it until it heals.
