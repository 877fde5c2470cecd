//! One header block after another: the client's compression undone, `:authority` mended, nothing compressed again.

use std::io;

use http::uri::Authority;
use loona_hpack::Decoder;
use loona_hpack::encoder::encode_integer_into;

use super::Malformed;

/// What drivers from 1.6 on send.
const LOCALHOST: &[u8] = b"localhost";
/// The default SETTINGS_HEADER_TABLE_SIZE, which our side never raises: a client may not go beyond.
const TABLE_BYTES: usize = 4096;
/// Decoded bytes of one block: an index of one byte can stand for a header of 4 KiB.
const LIST_BYTES: usize = 64 * 1024;
/// RFC 7541 6.2.3: a literal that is never indexed, with a literal name. So every header stays out of both tables: what
/// the client marked as sensitive (the crate does not tell which) stays so, and there is no second table to keep true.
const NEVER_INDEXED: u8 = 0x10;

/// All header blocks of one connection, trailers too: they share the client's table.
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
    /// The same headers in the same order, but for an `:authority` that h2 would refuse; and whether there was one.
    pub(crate) fn mend(&mut self, block: &[u8]) -> Result<(Vec<u8>, bool), Malformed> {
        let mut mended = Vec::with_capacity(2 * block.len());
        let mut left = LIST_BYTES;
        let (mut fits, mut changed) = (Ok(()), false);
        let decoded = self.client.decode_with_cb(block, |name, value| {
            match left.checked_sub(name.len() + value.len()) {
                Some(after) if fits.is_ok() => {
                    left = after;
                    let refused = is_refused(&name, &value);
                    changed |= refused;
                    fits = write(&name, if refused { LOCALHOST } else { &value }, &mut mended);
                }
                _ => fits = Err(io::ErrorKind::FileTooLarge.into()),
            }
        });
        decoded.map_err(|_| Malformed::Hpack)?;
        fits.map_err(|_| Malformed::BlockSize)?;
        Ok((mended, changed))
    }
}

/// By the crate that h2 asks too, so that exactly what it would refuse is mended.
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
