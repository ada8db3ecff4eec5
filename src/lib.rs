//! Composable tower layers that make microservice clients and servers resilient.
