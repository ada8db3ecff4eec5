//! The cases, by what they are about.
//!
//! Revisions are relative to where the store was, and leases last whole seconds, so that a store
//! that is not ours, and in use, passes as well.

mod lease;
mod range;
mod sense;
mod txn;
mod watch;

pub(super) use self::{lease::*, range::*, sense::*, txn::*, watch::*};

use crate::coord::store::Store;
use std::{sync::Arc, time::Duration};

type AnyStore = Arc<dyn Store>;

/// Of a lease: the least that an etcd cluster grants is less.
const TTL: Duration = Duration::from_secs(5);
