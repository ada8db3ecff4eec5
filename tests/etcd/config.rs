//! The config center on etcd.

use super::{
    config_cases,
    over_etcd::{over_etcd, store},
};
use ziggurat_testkit::Etcd;

config_cases::for_each_case!(over_etcd);
