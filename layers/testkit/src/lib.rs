//! For the tests of ziggurat only: strict and counting services, scripted servers.
