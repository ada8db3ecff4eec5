//! Tower layers that carry W3C trace context through clients and servers.
