//! What settings can be.

use super::{keepalive::LONGEST_KEEPALIVE, *};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_cannot_work_is_refused_by_name() {
    let new = Settings::new;
    for (settings, field) in [
        (new().connect_timeout(Duration::ZERO), "connect_timeout"),
        (
            new().keepalive(Duration::ZERO, SECOND),
            "keepalive interval",
        ),
        (new().keepalive(SECOND, Duration::ZERO), "keepalive timeout"),
        (new().tcp_timeout(5 * SECOND), "tcp_timeout"),
        (new().tcp_timeout(Duration::MAX), "tcp_timeout"),
        (new().windows(65_534, 65_535), "stream window"),
        (new().windows(65_535, 1 << 31), "connection window"),
        (new().max_frame_size((1 << 14) - 1), "max_frame_size"),
        (new().max_frame_size(1 << 24), "max_frame_size"),
        (new().more_connections(10), "more_connections"),
        (new().idle_close(SECOND / 2), "idle_close"),
        (new().max_header_list_size(1_023), "max_header_list_size"),
        (new().max_header_list_size(u32::MAX), "max_header_list_size"),
    ] {
        let error = settings.unwrap_err();
        assert_eq!(error.field(), field);
        assert!(error.to_string().contains(field));
    }
}

#[test]
fn by_default_no_grpc_server_is_asked_more_often_than_it_allows() {
    let keepalive = Settings::new().keepalive.unwrap();
    assert!(keepalive.interval > 300 * SECOND);
    assert!(LONGEST_KEEPALIVE > 2 * 3_600 * SECOND);
}

#[test]
fn a_calmer_keepalive_asks_half_as_often_and_never_stops() {
    let mut keepalive = Keepalive {
        interval: 20 * SECOND,
        timeout: SECOND,
    };
    keepalive = keepalive.calmer();
    assert_eq!(keepalive.interval, 40 * SECOND);
    for _ in 0..40 {
        keepalive = keepalive.calmer();
    }
    assert_eq!(keepalive.interval, LONGEST_KEEPALIVE);
}
