//! Mends the `:authority` of drivers up to 1.5.6, in front of everything that speaks HTTP/2.
//!
//! They dial `grpc.Dial("/path/of.sock")`, so grpc-go sends the path as `:authority`, which h2 answers with
//! PROTOCOL_ERROR before any handler runs. The header blocks of such a client are read and written anew with `localhost` in
//! its place; all other frames pass byte for byte, and after its first call all that a newer driver sends. The server's side
//! of the connection is not touched.

pub mod frames; // what a client sends, frame by frame; pure
pub mod headers; // one header block

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::bytes::{Buf, BytesMut};

use crate::server::authority::frames::Frames;

/// Bytes taken from the socket at a time.
const READ_BYTES: usize = 16 * 1024;

/// Why a connection ends before h2 has seen what the client sent; holds nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// The first bytes are not HTTP/2's.
    #[error("the client does not speak HTTP/2 with prior knowledge")]
    Preface,
    /// RFC 9113 4.2: more than the server allowed.
    #[error("a header frame exceeds the allowed frame size")]
    FrameSize,
    /// RFC 9113 4.3: a header block is HEADERS and CONTINUATION of one stream, nothing between.
    #[error("a header block is interrupted, or continued without a begin")]
    Sequence,
    /// RFC 9113 6.2: padding or priority do not fit the frame.
    #[error("a HEADERS frame is shorter than its padding and priority")]
    Padding,
    /// More than any client of ours has to say.
    #[error("a header block exceeds the limit")]
    BlockSize,
    /// RFC 7541: the block cannot be decoded.
    #[error("a header block is no valid HPACK")]
    Hpack,
}

/// A connection whose read side is mended; writes pass untouched.
pub(crate) struct AuthorityRewriter<Io> {
    io: Io,
    frames: Frames,
    raw: Box<[u8]>,
    /// What of `raw` is not mended yet.
    unread: Range<usize>,
    mended: BytesMut,
}

impl<Io> AuthorityRewriter<Io> {
    /// The connection `io`, of which nothing was read yet.
    pub(crate) fn new(io: Io) -> Self {
        Self {
            io,
            frames: Frames::default(),
            raw: vec![0; READ_BYTES].into(),
            unread: 0..0,
            mended: BytesMut::new(),
        }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for AuthorityRewriter<Io> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.mended.is_empty() {
            if this.unread.is_empty() {
                if this.frames.pass() {
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
            let pushed = this.frames.push(&mut rest, &mut this.mended);
            this.unread.start = this.unread.end - rest.len();
            pushed.map_err(|malformed| io::Error::new(io::ErrorKind::InvalidData, malformed))?;
        }
        let count = this.mended.len().min(out.remaining());
        out.put_slice(&this.mended[..count]);
        this.mended.advance(count);
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
