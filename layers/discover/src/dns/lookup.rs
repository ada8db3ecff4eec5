//! What DNS has to say of a service, as instances.

use super::Records;
use futures_util::future::join_all;
use hickory_resolver::{
    TokioResolver,
    net::{DnsError, NetError},
    proto::rr::{RData, Record, RecordType, rdata::SRV},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};
use ziggurat_core::{BoxError, EndpointId, Instance};

/// Asks for the records of a service.
#[derive(Clone)]
pub(super) struct Lookup {
    resolver: TokioResolver,
    records: Records,
    domain: Option<Arc<str>>,
}

/// The addresses of names as they were last time.
pub(super) type Known = BTreeMap<String, Vec<IpAddr>>;

/// For how long an answer holds; `None`: it does not say.
type Ttl = Option<Duration>;

/// So many targets are looked up at once.
const AT_ONCE: usize = 16;

// === impl Lookup ===

impl Lookup {
    pub(super) const fn new(resolver: TokioResolver, records: Records) -> Self {
        Self {
            resolver,
            records,
            domain: None,
        }
    }

    pub(super) fn domain(&mut self, domain: &str) {
        self.domain = Some(domain.trim_matches('.').into());
    }

    /// The instances of `service`, ordered by id, and how long that holds. Those that are `out`
    /// cannot be called.
    pub(super) async fn find(
        &self,
        service: &str,
        known: &mut Known,
        out: &BTreeSet<EndpointId>,
    ) -> Result<(Vec<Arc<Instance>>, Ttl), BoxError> {
        let name = match &self.domain {
            Some(domain) => format!("{service}.{domain}."),
            None => service.to_owned(),
        };
        let (found, ttl) = match self.records {
            Records::Addresses { port } => {
                let before = known.get(&name).map_or(&[][..], Vec::as_slice);
                let (addresses, ttl) = self.addresses(&name, before).await?;
                known.insert(name, addresses.clone());
                let at = |ip| instance(service, ip, port.get());
                (addresses.into_iter().filter_map(at).collect(), ttl)
            }
            Records::Services => self.services(service, &name, known, out).await?,
        };
        let found: Vec<Instance> = found;
        let mut by_id = BTreeMap::new();
        for one in found {
            // Of two at one place the first, whatever order the answer has.
            by_id.entry(one.id().clone()).or_insert(one);
        }
        Ok((by_id.into_values().map(Arc::new).collect(), ttl))
    }

    /// The addresses of both kinds; one kind that fails is no trouble if there is the other. Its
    /// addresses stay as they were `before`.
    async fn addresses(
        &self,
        name: &str,
        before: &[IpAddr],
    ) -> Result<(Vec<IpAddr>, Ttl), BoxError> {
        let (v4, v6) = tokio::join!(
            self.records(name, RecordType::A),
            self.records(name, RecordType::AAAA)
        );
        let is_v4 = v4.is_ok();
        let (v4, v6) = match (v4, v6) {
            (Ok(v4), Ok(v6)) => (v4, v6),
            (Ok(found), Err(error)) | (Err(error), Ok(found)) => {
                if found.0.is_empty() {
                    return Err(error.into());
                }
                let failed = before.iter().filter(|ip| ip.is_ipv4() != is_v4);
                return Ok(half(found, failed.copied().collect(), is_v4));
            }
            (Err(error), Err(_)) => return Err(error.into()),
        };
        // Of the kind that is not there only the other one's time counts.
        let ttl = match (v4.0.is_empty(), v6.0.is_empty()) {
            (false, true) => v4.1,
            (true, false) => v6.1,
            _ => v4.1.into_iter().chain(v6.1).min(),
        };
        let records = v4.0.iter().chain(&v6.0);
        let addresses = records.filter_map(|record| record.data.ip_addr());
        Ok((addresses.collect(), ttl))
    }

    /// Those of the best priority; of the next, too, while nobody of the better ones is to be had.
    async fn services(
        &self,
        service: &str,
        name: &str,
        known: &mut Known,
        out: &BTreeSet<EndpointId>,
    ) -> Result<(Vec<Instance>, Ttl), BoxError> {
        let (targets, ttl) = self.targets(name).await?;
        let (mut instances, mut ttls, mut trouble) = (Vec::new(), vec![ttl], None);
        let names: BTreeSet<_> = targets.iter().map(|srv| srv.target.to_utf8()).collect();
        known.retain(|target, _| names.contains(target));
        for alike in targets.chunk_by(|one, other| one.priority == other.priority) {
            for (srv, found) in self.look_up(alike, known).await {
                let target = srv.target.to_utf8();
                match found {
                    Ok((addresses, ttl)) => {
                        ttls.push(ttl);
                        known.insert(target.clone(), addresses);
                    }
                    Err(error) => {
                        // Soon again; until then it is where it was when that could be found out.
                        ttls.push(Some(Duration::ZERO));
                        trouble = (!known.contains_key(&target)).then_some(error).or(trouble);
                    }
                }
                let addresses = known.get(&target).into_iter().flatten();
                instances.extend(addresses.filter_map(|ip| at(service, *ip, &srv)));
            }
            if instances.iter().any(|one| !out.contains(one.id())) {
                break;
            }
        }
        match trouble {
            Some(trouble) if instances.is_empty() => Err(trouble),
            _ => Ok((instances, ttls.into_iter().flatten().min())),
        }
    }

    /// All targets: those of the best priority first, otherwise in an order that no answer changes.
    async fn targets(&self, name: &str) -> Result<(Vec<SRV>, Ttl), BoxError> {
        let name = format!("_grpc._tcp.{name}");
        let (records, ttl) = self.records(&name, RecordType::SRV).await?;
        let targets = records.into_iter().filter_map(|record| match record.data {
            // By a target of nothing the service is decidedly not available (RFC 2782).
            RData::SRV(srv) if !srv.target.is_root() => Some(srv),
            _ => None,
        });
        let mut targets: Vec<SRV> = targets.collect();
        let order = |srv: &SRV| (srv.priority, srv.target.clone(), srv.port, srv.weight);
        targets.sort_by_cached_key(order);
        Ok((targets, ttl))
    }

    async fn look_up(
        &self,
        targets: &[SRV],
        known: &Known,
    ) -> Vec<(SRV, Result<(Vec<IpAddr>, Ttl), BoxError>)> {
        let mut found = Vec::new();
        for some in targets.chunks(AT_ONCE) {
            let names = some.iter().map(|srv| self.address_of(srv.clone(), known));
            found.extend(join_all(names).await);
        }
        found
    }

    async fn address_of(
        &self,
        srv: SRV,
        known: &Known,
    ) -> (SRV, Result<(Vec<IpAddr>, Ttl), BoxError>) {
        let target = srv.target.to_utf8();
        let before = known.get(&target).map_or(&[][..], Vec::as_slice);
        let found = self.addresses(&target, before).await;
        (srv, found)
    }

    /// The records of one kind. That there are none is an answer, too.
    async fn records(&self, name: &str, kind: RecordType) -> Result<(Vec<Record>, Ttl), NetError> {
        match self.resolver.lookup(name, kind).await {
            Ok(found) => {
                let records = found.answers().to_vec();
                // Those of aliases on the way count as well.
                let ttl = records.iter().map(|record| record.ttl).min();
                Ok((records, ttl.map(seconds)))
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
                Ok((Vec::new(), none.negative_ttl.map(seconds)))
            }
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup")
            .field("records", &self.records)
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

/// `None`: DNS says something that cannot be.
fn instance(service: &str, ip: IpAddr, port: u16) -> Option<Instance> {
    // An AAAA record may say what an A record says.
    let ip = ip.to_canonical();
    let instance = Instance::at(service, SocketAddr::new(ip, port));
    if let Err(error) = &instance {
        tracing::warn!(service, %ip, port, %error, "DNS names an instance that cannot be");
    }
    instance.ok()
}

/// The instance that `srv` is about, at one of its addresses.
fn at(service: &str, ip: IpAddr, srv: &SRV) -> Option<Instance> {
    let weight = NonZeroU32::new(srv.weight.into()).unwrap_or(NonZeroU32::MIN);
    let target = srv.target.to_utf8();
    let one = instance(service, ip, srv.port)?.with_weight(weight);
    Some(one.with_metadata("target", target.trim_end_matches('.')))
}

/// What was found of one kind, and what was known of the other, which could not be looked up now.
fn half((found, ttl): (Vec<Record>, Ttl), known: Vec<IpAddr>, is_v4: bool) -> (Vec<IpAddr>, Ttl) {
    // Soon again; but there are networks that never answer for the sixth.
    let ttl = match known.is_empty() && is_v4 {
        true => ttl,
        false => Some(Duration::ZERO),
    };
    let found = found.iter().filter_map(|record| record.data.ip_addr());
    (found.chain(known).collect(), ttl)
}

fn seconds(ttl: u32) -> Duration {
    Duration::from_secs(ttl.into())
}
