//! What an endpoint says of its load at the end of an answer (gRFC A51): the four fields of the message
//! that gRFC A58 weighs endpoints by, read and written by hand.
//!
//! ```proto
//! message OrcaLoadReport {             // package xds.data.orca.v3
//!   double cpu_utilization = 1;
//!   double rps_fractional = 6;
//!   double eps = 7;
//!   double application_utilization = 9;
//! }                                    // and more, which is passed over
//! ```

use http::{HeaderMap, HeaderName, HeaderValue};
use std::{error::Error, fmt};

mod base64;

/// How loaded a server is, as it tells its clients in the trailers of every answer.
///
/// ```
/// use http::HeaderMap;
/// use ziggurat_balance::LoadReport;
///
/// let report = LoadReport::new(250.0).application_utilization(0.5);
/// let mut trailers = HeaderMap::new();
/// trailers.insert(LoadReport::HEADER, report.to_header());
/// assert_eq!(LoadReport::read(&trailers).unwrap(), Some(report));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LoadReport {
    qps: f64,
    eps: f64,
    cpu_utilization: f64,
    application_utilization: f64,
}

/// A load report that makes no sense. It is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedReport(&'static str);

/// A field of the message that is kept.
struct Field {
    number: u64,
    of: fn(&mut LoadReport) -> &mut f64,
}

/// The longest report that is read, in characters. One that names dozens of metrics has less.
const LONGEST: usize = 4_096;
const FIELDS: [Field; 4] = [
    Field::new(1, |report| &mut report.cpu_utilization),
    Field::new(6, |report| &mut report.qps),
    Field::new(7, |report| &mut report.eps),
    Field::new(9, |report| &mut report.application_utilization),
];

/// The wire types of protocol buffers.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;
const FIXED32: u64 = 5;

// === impl LoadReport ===

impl LoadReport {
    /// The name of the trailer, and of the header of an answer without a body (gRFC A51).
    pub const HEADER: HeaderName = HeaderName::from_static("endpoint-load-metrics-bin");

    /// The report of a server that answers so many calls a second, failed ones included.
    #[must_use]
    pub const fn new(qps: f64) -> Self {
        Self {
            qps,
            eps: 0.0,
            cpu_utilization: 0.0,
            application_utilization: 0.0,
        }
    }

    /// Says how many calls a second fail.
    #[must_use]
    pub const fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Says which part of the CPU that it may use is used; more than 1 beyond a soft limit.
    #[must_use]
    pub const fn cpu_utilization(mut self, utilization: f64) -> Self {
        self.cpu_utilization = utilization;
        self
    }

    /// Says which part is used of whatever the server runs out of first. Counts before that of the CPU.
    #[must_use]
    pub const fn application_utilization(mut self, utilization: f64) -> Self {
        self.application_utilization = utilization;
        self
    }

    /// As it stands in the trailer. What is no finite number above zero is left out.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        let mut report = *self;
        let mut message = Vec::with_capacity(FIELDS.len() * 9);
        for field in FIELDS {
            let value = *(field.of)(&mut report);
            if value.is_finite() && value > 0.0 {
                // Numbers below 16 make a tag of one byte.
                message.push((field.number << 3 | FIXED64) as u8);
                message.extend(value.to_le_bytes());
            }
        }
        let text = base64::encode(&message);
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }

    /// What the trailers of an answer say; `None`: nothing.
    ///
    /// # Errors
    ///
    /// If there are two reports, if one is longer than 4096 characters, no base64 or no such message, or
    /// if a number in it is below zero or not finite.
    pub fn read(trailers: &HeaderMap) -> Result<Option<Self>, MalformedReport> {
        let mut values = trailers.get_all(Self::HEADER).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(MalformedReport("more than one"));
        }
        let text = value.as_bytes();
        if text.len() > LONGEST {
            return Err(MalformedReport("longer than 4096 characters"));
        }
        let mut room = [0; LONGEST / 4 * 3];
        let message = base64::decode(text, &mut room).ok_or(MalformedReport("no base64"))?;
        Self::parse(message).map(Some)
    }

    /// `qps / (utilization + eps / qps * penalty)` (gRFC A58); `None`: it says too little for that.
    pub(crate) fn weight(&self, penalty: f64) -> Option<f64> {
        let utilization = if self.application_utilization > 0.0 {
            self.application_utilization
        } else {
            self.cpu_utilization
        };
        if utilization == 0.0 || self.qps == 0.0 {
            return None;
        }
        let weight = self.qps / (utilization + self.eps / self.qps * penalty);
        (weight.is_finite() && weight > 0.0).then_some(weight)
    }

    fn parse(mut message: &[u8]) -> Result<Self, MalformedReport> {
        let mut report = Self::default();
        while !message.is_empty() {
            let tag = varint(&mut message)?;
            let field = FIELDS.iter().find(|field| field.number == tag >> 3);
            match (tag & 7, field) {
                (FIXED64, Some(field)) => *(field.of)(&mut report) = double(&mut message)?,
                (_, Some(_)) => return Err(MalformedReport("a field of another type")),
                (VARINT, None) => drop(varint(&mut message)?),
                (FIXED64, None) => drop(take(&mut message, 8)?),
                (FIXED32, None) => drop(take(&mut message, 4)?),
                (LENGTH_DELIMITED, None) => {
                    let length = varint(&mut message)?;
                    take(&mut message, usize::try_from(length).unwrap_or(usize::MAX))?;
                }
                _ => return Err(MalformedReport("a field of no known type")),
            }
        }
        Ok(report)
    }
}

// === impl Field ===

impl Field {
    const fn new(number: u64, of: fn(&mut LoadReport) -> &mut f64) -> Self {
        Self { number, of }
    }
}

// === impl MalformedReport ===

impl fmt::Display for MalformedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed load report: {}", self.0)
    }
}

impl Error for MalformedReport {}

fn take<'m>(message: &mut &'m [u8], length: usize) -> Result<&'m [u8], MalformedReport> {
    let (taken, rest) = message
        .split_at_checked(length)
        .ok_or(MalformedReport("cut off"))?;
    *message = rest;
    Ok(taken)
}

fn double(message: &mut &[u8]) -> Result<f64, MalformedReport> {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(take(message, 8)?);
    let value = f64::from_le_bytes(bytes);
    if !(value.is_finite() && value >= 0.0) {
        return Err(MalformedReport("a number below zero, or none"));
    }
    Ok(value)
}

fn varint(message: &mut &[u8]) -> Result<u64, MalformedReport> {
    let mut value = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = take(message, 1)?[0];
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(MalformedReport("a number of more than 64 bits"))
}

#[cfg(test)]
mod tests;
