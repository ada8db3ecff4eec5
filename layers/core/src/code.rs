//! gRPC status codes, without a gRPC library.

use http::StatusCode;
use std::{error::Error, fmt, str::FromStr};

/// A gRPC status code, numbered as the specification numbers it (0 to 16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(
    missing_docs,
    clippy::exhaustive_enums,
    reason = "the specification names all seventeen"
)]
pub enum Code {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

/// A text that names no status code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCode(String);

const ALL: [(Code, &str); 17] = [
    (Code::Ok, "OK"),
    (Code::Cancelled, "CANCELLED"),
    (Code::Unknown, "UNKNOWN"),
    (Code::InvalidArgument, "INVALID_ARGUMENT"),
    (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
    (Code::NotFound, "NOT_FOUND"),
    (Code::AlreadyExists, "ALREADY_EXISTS"),
    (Code::PermissionDenied, "PERMISSION_DENIED"),
    (Code::ResourceExhausted, "RESOURCE_EXHAUSTED"),
    (Code::FailedPrecondition, "FAILED_PRECONDITION"),
    (Code::Aborted, "ABORTED"),
    (Code::OutOfRange, "OUT_OF_RANGE"),
    (Code::Unimplemented, "UNIMPLEMENTED"),
    (Code::Internal, "INTERNAL"),
    (Code::Unavailable, "UNAVAILABLE"),
    (Code::DataLoss, "DATA_LOSS"),
    (Code::Unauthenticated, "UNAUTHENTICATED"),
];

// === impl Code ===

impl Code {
    /// The code with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        ALL.get(usize::try_from(number).ok()?)
            .map(|(code, _)| *code)
    }

    /// Reads the value of a `grpc-status` header or trailer: one or two decimal digits.
    #[must_use]
    pub fn from_header(value: &[u8]) -> Option<Self> {
        match value {
            [ones @ b'0'..=b'9'] => Self::from_number(u32::from(ones - b'0')),
            [b'1', ones @ b'0'..=b'9'] => Self::from_number(u32::from(10 + ones - b'0')),
            _ => None,
        }
    }

    /// What an HTTP status from something that does not speak gRPC means, by gRPC's mapping
    /// (grpc/grpc, `doc/http-grpc-status-mapping.md`).
    #[must_use]
    pub fn from_http(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502 | 503 | 504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// The HTTP status that tells a plain HTTP client the same (google.rpc.Code's mapping).
    #[must_use]
    pub fn to_http(self) -> StatusCode {
        match self {
            Self::Ok => StatusCode::OK,
            Self::InvalidArgument | Self::FailedPrecondition | Self::OutOfRange => {
                StatusCode::BAD_REQUEST
            }
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::AlreadyExists | Self::Aborted => StatusCode::CONFLICT,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Self::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            Self::Unknown | Self::Internal | Self::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The number of the code, as it stands in `grpc-status`.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The name of the code, as a service config writes it: `RESOURCE_EXHAUSTED`.
    #[must_use]
    pub fn name(self) -> &'static str {
        ALL[self as usize].1
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Under the feature `tonic`: what a handler does with the status of its own client.
#[cfg(feature = "tonic")]
impl From<tonic::Code> for Code {
    fn from(code: tonic::Code) -> Self {
        // Both have the seventeen of the specification.
        Self::from_number(i32::from(code).unsigned_abs()).unwrap_or(Self::Unknown)
    }
}

/// Under the feature `tonic`.
#[cfg(feature = "tonic")]
impl From<Code> for tonic::Code {
    fn from(code: Code) -> Self {
        Self::from_i32(i32::from(code.number()))
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    /// Reads a name, in any case, or a number, as a service config may write either.
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let named = ALL.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        named
            .map(|(code, _)| *code)
            .or_else(|| Self::from_header(text.as_bytes()))
            .ok_or_else(|| UnknownCode(text.to_owned()))
    }
}

// === impl UnknownCode ===

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown status code {:?}", self.0)
    }
}

impl Error for UnknownCode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_from_its_number_and_its_name() {
        for (index, (code, name)) in ALL.iter().enumerate() {
            assert_eq!(usize::from(code.number()), index);
            assert_eq!(Code::from_header(index.to_string().as_bytes()), Some(*code));
            assert_eq!(name.to_lowercase().parse(), Ok(*code));
        }
    }

    #[cfg(feature = "tonic")]
    #[test]
    fn every_code_is_one_of_tonics() {
        for (code, name) in ALL {
            let theirs = tonic::Code::from(code);
            assert_eq!(Code::from(theirs), code);
            assert_eq!(format!("{theirs:?}"), format!("{code:?}"), "{name}");
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for bad in [
            "",
            "17",
            "007",
            "00",
            "-1",
            "+1",
            " 1",
            "1 ",
            "0x0",
            "99999999999",
        ] {
            assert_eq!(Code::from_header(bad.as_bytes()), None, "{bad:?}");
        }
        assert!(
            "NOPE"
                .parse::<Code>()
                .unwrap_err()
                .to_string()
                .contains("NOPE")
        );
    }
}
