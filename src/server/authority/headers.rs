//! Decodes the header blocks of a connection and writes them uncompressed, with an `:authority` that h2 accepts.

use std::io;

use http::uri::Authority;
use loona_hpack::Decoder;
use loona_hpack::encoder::encode_integer_into;

use super::Malformed;

/// The `:authority` that drivers since 1.6 send.
const LOCALHOST: &[u8] = b"localhost";
/// The default SETTINGS_HEADER_TABLE_SIZE, which our side never raises: the limit of a client's table.
const TABLE_BYTES: usize = 4096;
/// Limit for the decoded bytes of one block: an index of one byte can mean a header of 4 KiB.
const LIST_BYTES: usize = 64 * 1024;
/// RFC 7541 6.2.3: a literal that is never indexed, with a literal name. So no header enters a table: headers that the client marked as
/// sensitive (the crate does not report the mark) stay so, and this side needs no table of its own.
const NEVER_INDEXED: u8 = 0x10;

/// Decodes all header blocks of one connection, including trailers: they share the client's table.
pub(crate) struct HeaderBlocks {
    client: Decoder<'static>,
}

impl Default for HeaderBlocks {
    fn default() -> Self {
        let mut client = Decoder::new();
        client.set_max_allowed_table_size(TABLE_BYTES);
        Self { client }
    }
}

impl HeaderBlocks {
    /// `block` with the same headers in the same order, where `localhost` replaces an `:authority` that h2 would refuse; and whether it
    /// was replaced.
    pub(crate) fn rewrite(&mut self, block: &[u8]) -> Result<(Vec<u8>, bool), Malformed> {
        let mut rewritten = Vec::with_capacity(2 * block.len());
        let mut left = LIST_BYTES;
        let (mut fits, mut changed) = (Ok(()), false);
        let decoded = self.client.decode_with_cb(block, |name, value| {
            match left.checked_sub(name.len() + value.len()) {
                Some(after) if fits.is_ok() => {
                    left = after;
                    let refused = is_refused(&name, &value);
                    changed |= refused;
                    fits = write(&name, if refused { LOCALHOST } else { &value }, &mut rewritten);
                }
                _ => fits = Err(io::ErrorKind::FileTooLarge.into()),
            }
        });
        decoded.map_err(|_| Malformed::Hpack)?;
        fits.map_err(|_| Malformed::BlockSize)?;
        Ok((rewritten, changed))
    }
}

/// Uses the same parser as h2, so that exactly what h2 would refuse is replaced.
fn is_refused(name: &[u8], value: &[u8]) -> bool {
    name == b":authority" && Authority::try_from(value).is_err()
}

fn write(name: &[u8], value: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    out.push(NEVER_INDEXED);
    for text in [name, value] {
        encode_integer_into(text.len(), 7, 0, out)?;
        out.extend_from_slice(text);
    }
    Ok(())
}
