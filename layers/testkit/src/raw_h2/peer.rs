//! One connection of a [`RawH2`](super::RawH2).

use super::{Act, RawScript, frame, frame::Frame};
use std::{collections::VecDeque, io};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(super) struct Peer<N> {
    socket: TcpStream,
    max_concurrent_streams: Option<u32>,
    acts: VecDeque<(usize, Act)>,
    note: N,
    serves: bool,
    requests: usize,
    highest: u32,
    open: Vec<u32>,
}

/// Whether the connection goes on.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

// === impl Peer ===

impl<N: Fn(u32)> Peer<N> {
    pub(super) fn new(socket: TcpStream, script: RawScript, note: N) -> Self {
        Self {
            socket,
            max_concurrent_streams: script.max_concurrent_streams,
            acts: script.acts.into(),
            note,
            serves: false,
            requests: 0,
            highest: 0,
            open: Vec::new(),
        }
    }

    /// Plays the script until it ends the connection, or the client does.
    pub(super) async fn run(mut self) {
        let _ = self.socket.set_nodelay(true);
        let _ = self.converse().await;
    }

    async fn converse(&mut self) -> io::Result<()> {
        let mut preface = [0; frame::PREFACE];
        self.socket.read_exact(&mut preface).await?;
        let settings = frame::settings(self.max_concurrent_streams);
        self.socket.write_all(&settings).await?;
        while self.act().await? == Next::GoOn {
            let frame = Frame::read(&mut self.socket).await?;
            self.hear(frame).await?;
        }
        Ok(())
    }

    async fn hear(&mut self, frame: Frame) -> io::Result<()> {
        let acked = frame.flags & frame::ACK != 0;
        match frame.kind {
            frame::HEADERS => {
                // Trailers come as HEADERS too; the id of a new stream is the highest yet.
                if frame.stream > self.highest {
                    self.highest = frame.stream;
                    self.open.push(frame.stream);
                    self.requests += 1;
                    (self.note)(frame.stream);
                }
                self.reply().await
            }
            frame::DATA if !frame.payload.is_empty() => {
                let updates = frame::window_updates(frame.stream, frame.payload.len());
                self.socket.write_all(&updates).await
            }
            frame::SETTINGS if !acked => self.socket.write_all(&frame::settings_ack()).await,
            frame::PING if !acked => {
                let ack = frame::ping_ack(&frame.payload);
                self.socket.write_all(&ack).await
            }
            _ => Ok(()),
        }
    }

    /// Does all that is due.
    async fn act(&mut self) -> io::Result<Next> {
        while let Some(&(due, act)) = self.acts.front()
            && due <= self.requests
        {
            self.acts.pop_front();
            match act {
                Act::GoAway { last_stream, code } => {
                    let frame = frame::go_away(last_stream, code);
                    self.socket.write_all(&frame).await?;
                }
                Act::ResetAll(code) => self.end_all(|id| frame::rst_stream(id, code)).await?,
                Act::AnswerAll(status) => {
                    self.end_all(|id| frame::trailers_only(id, status)).await?;
                }
                Act::Serve => {
                    self.serves = true;
                    self.reply().await?;
                }
                Act::Wait(time) => tokio::time::sleep(time).await,
                Act::Close => {
                    self.close().await?;
                    return Ok(Next::End);
                }
                Act::Cut => {
                    self.socket.set_zero_linger()?;
                    return Ok(Next::End);
                }
            }
        }
        Ok(Next::GoOn)
    }

    async fn reply(&mut self) -> io::Result<()> {
        if !self.serves {
            return Ok(());
        }
        self.end_all(frame::reply).await
    }

    async fn end_all(&mut self, frame: impl Fn(u32) -> Vec<u8>) -> io::Result<()> {
        let frames: Vec<u8> = self.open.drain(..).flat_map(frame).collect();
        self.socket.write_all(&frames).await
    }

    /// A socket that is dropped with unread bytes is reset by the kernel, so what the client sends is read to its end.
    async fn close(&mut self) -> io::Result<()> {
        self.socket.shutdown().await?;
        tokio::io::copy(&mut self.socket, &mut tokio::io::sink()).await?;
        Ok(())
    }
}
