//! Instance ids and unique ids on etcd.

use super::{
    id_cases,
    over_etcd::{over_etcd, store},
};
use ziggurat_testkit::Etcd;

id_cases::for_each_case!(over_etcd);
