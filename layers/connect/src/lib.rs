//! A connector that keeps one warm HTTP/2 connection to every endpoint.
