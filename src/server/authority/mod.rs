//! Replaces the invalid `:authority` of drivers up to 1.5.6, before any HTTP/2 code reads it.
//!
//! These drivers dial `grpc.Dial("/path/of.sock")`, so grpc-go sends the path as `:authority`, to which h2 responds with PROTOCOL_ERROR before
//! any handler runs. The header blocks of such a client are decoded and written again with `localhost` as `:authority`. All other frames
//! pass byte for byte, and so does everything that a newer driver sends after its first call. Bytes that the server sends are not changed.

mod frames; // what a client sends, frame by frame; pure
mod headers; // one header block

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::bytes::{Buf, BytesMut};

use crate::server::authority::frames::Frames;

/// Bytes read from the socket at a time.
const READ_BYTES: usize = 16 * 1024;

/// Why a connection ends before h2 has read what the client sent. Holds none of the client's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// The first bytes are not the HTTP/2 preface.
    #[error("the client does not speak HTTP/2 with prior knowledge")]
    Preface,
    /// RFC 9113 4.2: a frame is longer than the server allows.
    #[error("a header frame exceeds the allowed frame size")]
    FrameSize,
    /// RFC 9113 4.3: a header block is HEADERS and CONTINUATION of one stream with nothing in between.
    #[error("a header block is interrupted, or continued without a start")]
    Sequence,
    /// RFC 9113 6.2: padding or priority do not fit the frame.
    #[error("a HEADERS frame is shorter than its padding and priority")]
    Padding,
    /// The header block is longer than any that a driver sends.
    #[error("a header block exceeds the limit")]
    BlockSize,
    /// RFC 7541: the block cannot be decoded.
    #[error("a header block is not valid HPACK")]
    Hpack,
}

/// A connection with an `:authority` that h2 accepts in all that is read; writes pass unchanged.
pub(crate) struct AuthorityRewriter<Io> {
    io: Io,
    frames: Frames,
    raw: Box<[u8]>,
    /// The part of `raw` that was not pushed into `frames` yet.
    unread: Range<usize>,
    rewritten: BytesMut,
}

impl<Io> AuthorityRewriter<Io> {
    /// Wraps `io`, from which nothing was read yet.
    pub(crate) fn new(io: Io) -> Self {
        Self {
            io,
            frames: Frames::default(),
            raw: vec![0; READ_BYTES].into(),
            unread: 0..0,
            rewritten: BytesMut::new(),
        }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for AuthorityRewriter<Io> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.rewritten.is_empty() {
            if this.unread.is_empty() {
                if this.frames.is_passthrough() {
                    return Pin::new(&mut this.io).poll_read(cx, out);
                }
                let mut raw = ReadBuf::new(&mut this.raw);
                ready!(Pin::new(&mut this.io).poll_read(cx, &mut raw))?;
                if raw.filled().is_empty() {
                    return Poll::Ready(Ok(()));
                }
                this.unread = 0..raw.filled().len();
            }
            let mut rest = &this.raw[this.unread.clone()];
            let pushed = this.frames.push(&mut rest, &mut this.rewritten);
            this.unread.start = this.unread.end - rest.len();
            pushed.map_err(|malformed| io::Error::new(io::ErrorKind::InvalidData, malformed))?;
        }
        let count = this.rewritten.len().min(out.remaining());
        out.put_slice(&this.rewritten[..count]);
        this.rewritten.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for AuthorityRewriter<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
