//! The few frames of RFC 9113 that a fault needs.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

pub(super) const PREFACE: usize = 24;
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const ACK: u8 = 1;

const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const MAX_CONCURRENT_STREAMS: u16 = 3;

/// A frame as it came.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

// === impl Frame ===

impl Frame {
    pub(super) async fn read(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let mut head = [0; 9];
        io.read_exact(&mut head).await?;
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = head;
        let length = u32::from_be_bytes([0, l0, l1, l2]);
        let mut payload = vec![0; length as usize];
        io.read_exact(&mut payload).await?;
        Ok(Self {
            kind,
            flags,
            // The first bit is reserved.
            stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
            payload,
        })
    }
}

pub(super) fn settings(max_concurrent_streams: Option<u32>) -> Vec<u8> {
    let mut payload = Vec::new();
    if let Some(streams) = max_concurrent_streams {
        payload.extend(MAX_CONCURRENT_STREAMS.to_be_bytes());
        payload.extend(streams.to_be_bytes());
    }
    frame(SETTINGS, 0, 0, &payload)
}

pub(super) fn settings_ack() -> Vec<u8> {
    frame(SETTINGS, ACK, 0, &[])
}

pub(super) fn ping_ack(payload: &[u8]) -> Vec<u8> {
    frame(PING, ACK, 0, payload)
}

/// Gives back what a DATA frame took from the connection's and the stream's windows.
pub(super) fn window_updates(stream: u32, bytes: usize) -> Vec<u8> {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    let mut frames = frame(WINDOW_UPDATE, 0, 0, &bytes);
    frames.extend(frame(WINDOW_UPDATE, 0, stream, &bytes));
    frames
}

pub(super) fn go_away(last_stream: u32, code: u32) -> Vec<u8> {
    let mut payload = last_stream.to_be_bytes().to_vec();
    payload.extend(code.to_be_bytes());
    frame(GOAWAY, 0, 0, &payload)
}

pub(super) fn rst_stream(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

/// A gRPC answer without a body.
pub(super) fn trailers_only(stream: u32, grpc_status: u8) -> Vec<u8> {
    let mut block = response_headers();
    block.extend(status(grpc_status));
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block)
}

/// A gRPC answer of one empty message and status 0.
pub(super) fn reply(stream: u32) -> Vec<u8> {
    const EMPTY_MESSAGE: [u8; 5] = [0; 5];
    let mut frames = frame(HEADERS, END_HEADERS, stream, &response_headers());
    frames.extend(frame(DATA, 0, stream, &EMPTY_MESSAGE));
    frames.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, &status(0)));
    frames
}

/// HPACK without Huffman and without the dynamic table (RFC 7541).
fn response_headers() -> Vec<u8> {
    const STATUS_200: u8 = 0x88;
    // A literal without indexing whose name is entry 31 of the static table.
    const CONTENT_TYPE: [u8; 2] = [0x0f, 31 - 15];
    let mut block = vec![STATUS_200];
    block.extend(CONTENT_TYPE);
    text(&mut block, "application/grpc");
    block
}

fn status(grpc_status: u8) -> Vec<u8> {
    const NEW_NAME: u8 = 0;
    let mut block = vec![NEW_NAME];
    text(&mut block, "grpc-status");
    text(&mut block, &grpc_status.to_string());
    block
}

/// Only for texts below 127 bytes, whose length is one byte.
fn text(block: &mut Vec<u8>, text: &str) {
    block.push(text.len() as u8);
    block.extend(text.as_bytes());
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, l0, l1, l2] = (payload.len() as u32).to_be_bytes();
    let mut bytes = vec![l0, l1, l2, kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}
