//! Which addresses are in which networks.

use ipnet::{IpNet, Ipv4Net};
use std::{net::IpAddr, sync::Arc};

/// The bits before an IPv4 address that is mapped into IPv6.
const MAPPED: u8 = 96;

/// These networks. Those of IPv4 mapped into IPv6 are those of IPv4, as the addresses are.
pub(crate) fn collect(networks: impl IntoIterator<Item = IpNet>) -> Arc<[IpNet]> {
    networks.into_iter().map(canonical).collect()
}

/// Is it in one of these networks? An IPv4 address that is mapped into IPv6 is that IPv4 address.
pub(crate) fn is_in(networks: &[IpNet], address: Option<IpAddr>) -> bool {
    address.is_some_and(|address| {
        let address = address.to_canonical();
        networks.iter().any(|network| network.contains(&address))
    })
}

fn canonical(network: IpNet) -> IpNet {
    let (IpNet::V6(_), IpAddr::V4(address)) = (network, network.addr().to_canonical()) else {
        return network;
    };
    let prefix = network.prefix_len().checked_sub(MAPPED);
    let mapped = prefix.and_then(|prefix| Ipv4Net::new(address, prefix).ok());
    mapped.map_or(network, IpNet::V4)
}
