//! Those instances that are where they may be.

use crate::adapted::{Choose, Instances};
use std::{net::IpAddr, sync::Arc};
use ziggurat_core::{Instance, InvalidSetting};

/// Chooses the instances whose address is in one of some networks.
///
/// A registry, or whoever can write to it, may name any address: without TLS, which has a peer prove
/// who it is, this is what keeps calls, and the credentials in them, in the house. Whoever is named by
/// a host name is not chosen, for where that leads is not known here; nor is whoever is at a Unix
/// socket. An IPv4 address that is written as an IPv6 one is the IPv4 address.
#[derive(Clone, Debug)]
pub struct Networks(Arc<[Network]>);

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

const RULE: &str = "must be an IP address, or one followed by / and how many of its bits count";

// === impl Networks ===

impl Networks {
    /// These, each an IP address, or one and how many of its first bits count: `10.0.0.0/8`,
    /// `fd00::/8`.
    ///
    /// # Errors
    ///
    /// If one is neither. The bits that do not count may be anything.
    pub fn new<N>(networks: impl IntoIterator<Item = N>) -> Result<Self, InvalidSetting>
    where
        N: AsRef<str>,
    {
        let parse = |text: N| {
            let text = text.as_ref();
            parse(text).ok_or_else(|| InvalidSetting::new("networks", "network", text, RULE))
        };
        let networks: Result<_, _> = networks.into_iter().map(parse).collect();
        networks.map(Self)
    }

    /// Whether `address` is in one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }

    fn has(&self, one: &Instance) -> bool {
        let address = one.address().parse();
        address.is_ok_and(|address| self.contains(address))
    }
}

impl Choose for Networks {
    fn choose(&mut self, all: &Instances) -> Instances {
        let (kept, others): (Instances, Instances) = all
            .iter()
            .map(|(id, one)| (id.clone(), Arc::clone(one)))
            .partition(|(_, one)| self.has(one));
        if let Some(other) = others.values().next() {
            let (service, address) = (other.service(), other.address());
            let count = others.len();
            tracing::debug!(service, address, count, "outside of the networks allowed");
        }
        kept
    }
}

// === impl Network ===

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => {
                let differ = u32::from(mine) ^ u32::from(other);
                differ.leading_zeros() >= self.bits
            }
            (IpAddr::V6(mine), IpAddr::V6(other)) => {
                let differ = u128::from(mine) ^ u128::from(other);
                differ.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

fn parse(text: &str) -> Option<Network> {
    let (address, bits) = text
        .split_once('/')
        .map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        // No sign, which `parse` would take.
        Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => bits.parse().ok()?,
        Some(_) => return None,
        None => most,
    };
    (bits <= most).then_some(Network { address, bits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_a_network_by_its_first_bits() {
        let networks = ["10.0.0.0/8", "192.168.7.9", "fd00::/8", "172.16.0.0/12"];
        let networks = Networks::new(networks).unwrap();
        for (address, is_in) in [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("::ffff:10.0.0.1", true),
            ("192.168.7.9", true),
            ("192.168.7.8", false),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
            ("fdff::1", true),
            ("fe80::1", false),
            ("169.254.169.254", false),
        ] {
            assert_eq!(
                networks.contains(address.parse().unwrap()),
                is_in,
                "{address}"
            );
        }
        let all = Networks::new(["0.0.0.0/0", "::/0"]).unwrap();
        assert!(all.contains(IpAddr::from([255; 4])) && all.contains(IpAddr::from([255; 16])));
        let none = Networks::new([] as [&str; 0]).unwrap();
        assert!(!none.contains(IpAddr::from([10, 0, 0, 1])));
    }

    #[test]
    fn what_is_no_network_is_refused_by_its_value() {
        for text in [
            "",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/+8",
            "10/8",
            "house",
            "1.2.3.4/8/8",
        ] {
            let error = Networks::new(["10.0.0.0/8", text]).unwrap_err();
            assert_eq!(
                (error.field(), error.value()),
                ("network", &*format!("{text:?}"))
            );
        }
    }
}
