//! The two messages of `grpc.health.v1`, by hand: each has one field.
//!
//! ```proto
//! message HealthCheckRequest { string service = 1; }
//! message HealthCheckResponse { ServingStatus status = 1; }   // UNKNOWN 0, SERVING 1, NOT_SERVING 2, ..
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::{error::Error, fmt};

/// Bytes of answers, from which messages are taken as they become whole.
#[derive(Debug, Default)]
pub(super) struct Messages(BytesMut);

/// The peer's answer makes no sense.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed(&'static str);

/// gRPC's prefix: a flag for compression, and the length.
const PREFIX: usize = 5;
/// An answer needs two bytes; what it may grow by in years to come is no reason to keep more.
const MAX_MESSAGE: usize = 4_096;
const SERVICE: u8 = 1 << 3 | LENGTH_DELIMITED;
const STATUS: u64 = 1 << 3;
const SERVING: u64 = 1;
const LENGTH_DELIMITED: u8 = 2;

// === impl Messages ===

impl Messages {
    pub(super) fn push(&mut self, data: impl Buf) {
        self.0.put(data);
    }

    /// Does the next message say that the service serves? `None`: it is not whole yet.
    pub(super) fn next(&mut self) -> Result<Option<bool>, Malformed> {
        let Some(mut prefix) = self.0.get(..PREFIX) else {
            return Ok(None);
        };
        if prefix.get_u8() != 0 {
            return Err(Malformed("compressed, which nobody asked for"));
        }
        let length = prefix.get_u32() as usize;
        if length > MAX_MESSAGE {
            return Err(Malformed("longer than an answer can be"));
        }
        if self.0.len() < PREFIX + length {
            return Ok(None);
        }
        let message = self.0.split_to(PREFIX + length).split_off(PREFIX);
        is_serving(message.freeze()).map(Some)
    }
}

// === impl Malformed ===

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed answer to a health check: {}", self.0)
    }
}

impl Error for Malformed {}

/// Asks for `service`, prefix included.
pub(super) fn request(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    // As in proto3, an empty string is not sent.
    if !service.is_empty() {
        message.put_u8(SERVICE);
        put_varint(&mut message, service.len() as u64);
        message.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    // The name of a service never comes near 4 GiB.
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put(message);
    framed.freeze()
}

fn is_serving(mut message: Bytes) -> Result<bool, Malformed> {
    let mut status = 0;
    while message.has_remaining() {
        let tag = varint(&mut message)?;
        match tag & 0b111 {
            0 => {
                let value = varint(&mut message)?;
                // The last one counts, as everywhere in protobuf.
                status = if tag == STATUS { value } else { status };
            }
            1 => skip(&mut message, 8)?,
            2 => {
                let length = varint(&mut message)?;
                skip(&mut message, length)?;
            }
            5 => skip(&mut message, 4)?,
            _ => return Err(Malformed("of no known wire type")),
        }
    }
    Ok(status == SERVING)
}

fn skip(message: &mut Bytes, length: u64) -> Result<(), Malformed> {
    match usize::try_from(length) {
        Ok(length) if length <= message.remaining() => message.advance(length),
        _ => return Err(Malformed("cut off in a field")),
    }
    Ok(())
}

fn varint(message: &mut Bytes) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        if !message.has_remaining() {
            return Err(Malformed("cut off in a number"));
        }
        let byte = message.get_u8();
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed("a number without an end"))
}

fn put_varint(message: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        message.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    message.put_u8(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(bytes: &[u8]) -> Result<Option<bool>, Malformed> {
        let mut messages = Messages::default();
        messages.push(bytes);
        messages.next()
    }

    #[test]
    fn a_request_is_what_protobuf_makes_of_it() {
        assert_eq!(request("")[..], [0; 5]);
        assert_eq!(request("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = request(&"x".repeat(200));
        assert_eq!(long[..8], [0, 0, 0, 0, 203, 0x0a, 0xc8, 0x01]);
        assert_eq!(long.len(), 5 + 203);
    }

    #[test]
    fn only_serving_is_serving() {
        for (status, serving) in [(0, false), (1, true), (2, false), (3, false), (100, false)] {
            assert_eq!(next(&[0, 0, 0, 0, 2, 8, status]), Ok(Some(serving)));
        }
        assert_eq!(next(&[0; 5]), Ok(Some(false)), "UNKNOWN is not sent");
        let twice = [0, 0, 0, 0, 4, 8, 2, 8, 1];
        assert_eq!(next(&twice), Ok(Some(true)), "the last one counts");
    }

    #[test]
    fn messages_come_in_pieces_and_several_at_once() {
        let two = [0, 0, 0, 0, 2, 8, 1, 0, 0, 0, 0, 2, 8, 2];
        let mut messages = Messages::default();
        let mut heard = Vec::new();
        for byte in two {
            messages.push(&[byte][..]);
            heard.extend(messages.next().unwrap());
        }
        assert_eq!(heard, [true, false]);
        let mut messages = Messages::default();
        messages.push(&two[..]);
        assert_eq!(messages.next(), Ok(Some(true)));
        assert_eq!(messages.next(), Ok(Some(false)));
        assert_eq!(messages.next(), Ok(None));
    }

    #[test]
    fn fields_that_nobody_knows_yet_are_skipped() {
        let fields: [&[u8]; 4] = [
            &[0x10, 0x96, 0x01],
            &[0x19, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0x22, 2, 8, 2],
            &[0x2d, 1, 2, 3, 4],
        ];
        for field in fields {
            let mut message = vec![0, 0, 0, 0, 2 + field.len() as u8, 8, 1];
            message.extend_from_slice(field);
            assert_eq!(next(&message), Ok(Some(true)), "{field:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_nothing_panics() {
        let broken: [&[u8]; 8] = [
            &[1, 0, 0, 0, 2, 8, 1],
            &[0, 0xff, 0xff, 0xff, 0xff],
            &[0, 0, 0, 0x10, 1],
            &[0, 0, 0, 0, 1, 8],
            &[0, 0, 0, 0, 2, 8, 0x80],
            &[0, 0, 0, 0, 2, 0x0a, 9],
            &[0, 0, 0, 0, 1, 0x0b],
            &[0, 0, 0, 0, 2, 0x0d, 1],
        ];
        for bytes in broken {
            assert!(next(bytes).is_err(), "{bytes:?}");
        }
        let endless = [[0, 0, 0, 0, 12, 8].as_slice(), &[0xff; 11]].concat();
        assert!(next(&endless).is_err());
        let dice = ziggurat_core::Dice::seeded(5);
        for _ in 0..10_000 {
            let mut noise: Vec<u8> = (0..dice.below(24)).map(|_| dice.number() as u8).collect();
            if let Some(prefix) = noise.get_mut(..5) {
                prefix.copy_from_slice(&[0, 0, 0, 0, dice.below(20) as u8]);
            }
            let _ = next(&noise);
        }
    }
}
