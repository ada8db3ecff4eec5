//! A tower layer that turns a connector into a stream of the endpoints of a service.
