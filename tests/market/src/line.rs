//! A TCP connection with faults: below TLS and WebSocket, where cuts, stalls and drips happen.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::clock::lock;
use crate::control::AfterCut;

/// What a connection does.
#[derive(Debug)]
pub enum Mode {
    /// All passes.
    Open,
    /// Nothing passes, until then or for ever.
    Stalled(Option<Instant>),
    /// So many bytes are written still.
    Cut {
        /// How many.
        left: usize,
        /// And then.
        then: AfterCut,
        /// Of the garbage.
        seed: u64,
    },
    /// Random bytes are written for all that is.
    Garbage(Rng),
    /// So many bytes at once, with a pause after each.
    Drip {
        /// At once.
        bytes: usize,
        /// The pause.
        every: Duration,
        /// When the next ones may go.
        next: Instant,
        /// When it ends.
        until: Option<Instant>,
    },
    /// What is written waits until there are so many bytes.
    Holding(usize),
    /// It is over: by RST, or as ever.
    Dead {
        /// By RST.
        reset: bool,
    },
}

struct State {
    mode: Mode,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What a connection does; held by it and by who changes it.
pub struct Line(Mutex<State>);

impl Line {
    /// A line on which all passes.
    pub fn open() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { mode: Mode::Open, reader: None, writer: None })))
    }

    /// Changes what it does, at once; what is over stays over.
    pub fn set(&self, mode: Mode) {
        let mut state = lock(&self.0);
        if !matches!(state.mode, Mode::Dead { .. }) {
            state.mode = mode;
        }
        [state.reader.take(), state.writer.take()].into_iter().flatten().for_each(Waker::wake);
    }

    /// Whether nothing that is written passes now.
    pub fn stalled(&self) -> bool {
        matches!(lock(&self.0).mode, Mode::Stalled(_) | Mode::Holding(_))
    }
}

/// A connection on such a line.
pub struct Faulty {
    inner: TcpStream,
    line: Arc<Line>,
    sleep: Pin<Box<Sleep>>,
    held: Vec<u8>,
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "ended by a fault")
}

impl Faulty {
    /// A connection that does as the line says.
    pub fn new(inner: TcpStream, line: Arc<Line>) -> Self {
        Self { inner, line, sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), held: Vec::new() }
    }

    /// Waits until then; `Ready` when it is over.
    fn wait(&mut self, cx: &mut Context<'_>, until: Option<Instant>) -> Poll<()> {
        let Some(until) = until else { return Poll::Pending };
        if Instant::now() >= until {
            return Poll::Ready(());
        }
        self.sleep.as_mut().reset(until);
        self.sleep.as_mut().poll(cx)
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            match Pin::new(&mut self.inner).poll_write(cx, &self.held) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(ended())),
                Poll::Ready(Ok(written)) => drop(self.held.drain(..written)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes as the mode says.
    fn write(&mut self, cx: &mut Context<'_>, mode: &mut Mode, buf: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match mode {
                Mode::Open => {
                    std::task::ready!(self.drain(cx))?;
                    return Pin::new(&mut self.inner).poll_write(cx, buf);
                }
                Mode::Stalled(until) => {
                    std::task::ready!(self.wait(cx, *until));
                    *mode = Mode::Open;
                }
                Mode::Cut { left: 0, then: AfterCut::Garbage, seed } => *mode = Mode::Garbage(Rng::with_seed(*seed)),
                Mode::Cut { left: 0, then, .. } => *mode = Mode::Dead { reset: *then == AfterCut::Reset },
                Mode::Cut { left, .. } => {
                    let most = buf.len().min(*left);
                    let written = std::task::ready!(Pin::new(&mut self.inner).poll_write(cx, &buf[..most]))?;
                    *left -= written;
                    return Poll::Ready(Ok(written));
                }
                Mode::Garbage(rng) => {
                    let garbage: Vec<u8> = buf.iter().map(|_| rng.u8(..)).collect();
                    return Pin::new(&mut self.inner).poll_write(cx, &garbage);
                }
                Mode::Drip { until: Some(until), .. } if Instant::now() >= *until => *mode = Mode::Open,
                Mode::Drip { bytes, every, next, .. } => {
                    std::task::ready!(self.wait(cx, Some(*next)));
                    let most = buf.len().min((*bytes).max(1));
                    let written = std::task::ready!(Pin::new(&mut self.inner).poll_write(cx, &buf[..most]))?;
                    *next = Instant::now() + *every;
                    return Poll::Ready(Ok(written));
                }
                Mode::Holding(bytes) => {
                    self.held.extend_from_slice(buf);
                    if self.held.len() >= *bytes {
                        *mode = Mode::Open;
                    }
                    return Poll::Ready(Ok(buf.len()));
                }
                Mode::Dead { .. } => return Poll::Ready(Err(ended())),
            }
        }
    }
}

impl AsyncRead for Faulty {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let line = Arc::clone(&this.line);
        let mut state = lock(&line.0);
        if let Mode::Stalled(until) = state.mode {
            if this.wait(cx, until).is_pending() {
                state.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            state.mode = Mode::Open;
        }
        if matches!(state.mode, Mode::Dead { .. }) {
            return Poll::Ready(Err(ended()));
        }
        let read = Pin::new(&mut this.inner).poll_read(cx, buf);
        if read.is_pending() {
            state.reader = Some(cx.waker().clone());
        }
        read
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let line = Arc::clone(&this.line);
        let mut state = lock(&line.0);
        let written = this.write(cx, &mut state.mode, buf);
        if written.is_pending() {
            state.writer = Some(cx.waker().clone());
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let line = Arc::clone(&this.line);
        let mut state = lock(&line.0);
        let flushed = match &mut state.mode {
            Mode::Holding(_) => return Poll::Ready(Ok(())),
            // Where a cut ends the connection, it ends with the last byte, not with the next frame.
            Mode::Cut { left: 0, then, .. } if *then != AfterCut::Garbage => {
                state.mode = Mode::Dead { reset: *then == AfterCut::Reset };
                return Poll::Ready(Err(ended()));
            }
            Mode::Dead { .. } => return Poll::Ready(Err(ended())),
            Mode::Stalled(until) => {
                let until = *until;
                if this.wait(cx, until).is_ready() {
                    state.mode = Mode::Open;
                    this.drain(cx)
                } else {
                    Poll::Pending
                }
            }
            Mode::Open | Mode::Cut { .. } | Mode::Garbage(_) | Mode::Drip { .. } => this.drain(cx),
        };
        if flushed.is_pending() {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        std::task::ready!(flushed)?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let line = Arc::clone(&this.line);
        let mut state = lock(&line.0);
        if matches!(state.mode, Mode::Stalled(None)) {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        if matches!(lock(&self.line.0).mode, Mode::Dead { reset: true }) {
            // If it fails, the peer sees an orderly end; nothing else can be done here.
            drop(self.inner.set_zero_linger());
        }
    }
}
