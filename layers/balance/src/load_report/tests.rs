//! Reports as servers write them, and as nobody should.

use super::*;

/// One field, its tag and its value.
fn field(number: u8, value: f64) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 1];
    bytes.extend(value.to_le_bytes());
    bytes
}

fn read(message: &[u8]) -> Result<Option<LoadReport>, MalformedReport> {
    let text = base64::encode(message);
    LoadReport::read(&HeaderMap::from_iter([(
        LoadReport::HEADER,
        HeaderValue::from_str(&text).unwrap(),
    )]))
}

/// The reports of gRFC A58: each weighs what its formula says.
#[test]
fn a_weight_is_what_the_formula_says() {
    let report = LoadReport::new(100.0);
    for (report, penalty, weight) in [
        (report.cpu_utilization(0.5), 1.0, Some(200.0)),
        (report.application_utilization(0.25), 1.0, Some(400.0)),
        // The application's word counts before that of the CPU.
        (
            report.application_utilization(0.8).cpu_utilization(0.1),
            1.0,
            Some(125.0),
        ),
        // Errors weigh as much as the penalty says: a tenth of the calls, or nothing.
        (report.cpu_utilization(0.4).eps(10.0), 1.0, Some(200.0)),
        (report.cpu_utilization(0.3).eps(10.0), 2.0, Some(200.0)),
        (report.cpu_utilization(0.5).eps(10.0), 0.0, Some(200.0)),
        // Beyond a soft limit.
        (report.cpu_utilization(2.0), 1.0, Some(50.0)),
        // Without one of the two there is no weight.
        (report, 1.0, None),
        (LoadReport::new(0.0).cpu_utilization(0.5), 1.0, None),
        // No number that can be weighed.
        (report.cpu_utilization(f64::MIN_POSITIVE), 1.0, None),
        (
            LoadReport::new(f64::MIN_POSITIVE)
                .cpu_utilization(0.5)
                .eps(f64::MAX),
            1.0,
            None,
        ),
    ] {
        let got = report.weight(penalty);
        let near = match (got, weight) {
            (Some(got), Some(weight)) => (got - weight).abs() < 1e-9 * weight,
            (got, weight) => got == weight,
        };
        assert!(near, "{report:?}: {got:?}, not {weight:?}");
    }
}

#[test]
fn what_is_written_is_read() {
    let report = LoadReport::new(100.5)
        .eps(0.25)
        .cpu_utilization(0.5)
        .application_utilization(1.5);
    let headers = HeaderMap::from_iter([(LoadReport::HEADER, report.to_header())]);
    assert_eq!(LoadReport::read(&headers), Ok(Some(report)));
    assert_eq!(LoadReport::read(&HeaderMap::new()), Ok(None));
    let nonsense = LoadReport::new(f64::NAN)
        .eps(-1.0)
        .cpu_utilization(f64::INFINITY);
    let headers = HeaderMap::from_iter([(LoadReport::HEADER, nonsense.to_header())]);
    assert_eq!(LoadReport::read(&headers), Ok(Some(LoadReport::default())));
}

#[test]
fn what_else_is_in_a_report_is_passed_over() {
    // mem_utilization, rps, request_cost {"a": 1}, utilization, named_metrics, a field of years to come.
    let mut message = field(2, 0.9);
    message.extend([3 << 3, 0x80, 0x01]);
    let mut entry = vec![4 << 3 | 2, 12, 1 << 3 | 2, 1, b'a'];
    entry.extend(field(2, -1.0));
    message.extend(entry);
    message.extend(field(6, 100.0));
    message.extend([5 << 3 | 2, 0, 8 << 3 | 2, 3, 1, 2, 3]);
    message.extend([0xFD, 0x01, 1, 2, 3, 4]);
    message.extend(field(1, 0.25));
    // As in any protocol buffer, the last word counts.
    message.extend(field(1, 0.5));
    let report = LoadReport::new(100.0).cpu_utilization(0.5);
    assert_eq!(read(&message), Ok(Some(report)));
    assert_eq!(read(&[]), Ok(Some(LoadReport::default())));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut long = vec![5 << 3 | 2, 0xFF, 0x1F];
    long.resize(LONGEST + 2, 0);
    let bad = [f64::NAN, -0.5, f64::INFINITY, f64::NEG_INFINITY];
    let numbers = [1, 6, 7, 9];
    let numbers = numbers.iter().flat_map(|n| bad.map(|bad| field(*n, bad)));
    let cut: Vec<_> = (1..9).map(|len| field(6, 1.0)[..len].to_vec()).collect();
    let others = [
        vec![6 << 3, 1],
        vec![6 << 3 | 2, 0],
        vec![5 << 3 | 2, 9, 1],
        vec![
            5 << 3 | 2,
            0xFF,
            0xFF,
            0xFF,
            0xFF,
            0xFF,
            0xFF,
            0xFF,
            0xFF,
            0xFF,
            1,
        ],
        vec![3 << 3, 0x80],
        vec![0xFF; 11],
        vec![2 << 3 | 3],
        vec![2 << 3 | 7],
        long,
    ];
    for message in numbers.chain(cut).chain(others) {
        let read = read(&message);
        assert!(read.is_err(), "{message:?}: {read:?}");
    }
    for value in ["!", "Zg=", "a,b"] {
        let headers = HeaderMap::from_iter([(LoadReport::HEADER, HeaderValue::from_static(value))]);
        assert!(LoadReport::read(&headers).is_err(), "{value}");
    }
    let mut twice = HeaderMap::new();
    twice.append(LoadReport::HEADER, LoadReport::new(1.0).to_header());
    twice.append(LoadReport::HEADER, LoadReport::new(1.0).to_header());
    let refused = LoadReport::read(&twice).unwrap_err();
    assert_eq!(refused.to_string(), "malformed load report: more than one");
}

#[test]
fn whatever_stands_there_is_read_or_refused() {
    let dice = ziggurat_core::Dice::seeded(58);
    for _ in 0..20_000 {
        let len = dice.below(40);
        let message: Vec<u8> = (0..len).map(|_| dice.number() as u8).collect();
        if let Ok(Some(report)) = read(&message) {
            let weight = report.weight(1.0).unwrap_or(1.0);
            assert!(weight.is_finite() && weight > 0.0);
        }
    }
}
