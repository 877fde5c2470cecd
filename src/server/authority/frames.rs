//! What a client sends on one HTTP/2 connection, frame by frame (RFC 9113 3.4, 4.1, 6.2, 6.10).

use tokio_util::bytes::{BufMut, BytesMut};

use super::Malformed;
use crate::server::authority::headers::HeaderBlocks;

/// The bytes that every client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length, type, flags and stream of a frame.
const HEAD_BYTES: usize = 9;
/// The default SETTINGS_MAX_FRAME_SIZE, which our side never raises.
const FRAME_BYTES: usize = 16 * 1024;
/// Limit for the frames of one header block, heads included, so that empty CONTINUATION frames count too.
const BLOCK_BYTES: usize = 32 * 1024;
/// Written bytes after which the rest of the input waits: a block of a few bytes can decode to 64 KiB of headers.
const OUT_BYTES: usize = 16 * 1024;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
const PRIORITY_BYTES: usize = 5;

/// The position in the client's bytes. Not usable after an error: the connection ends.
pub(crate) struct Frames {
    headers: HeaderBlocks,
    client: Client,
    expected: Expected,
    /// The first bytes of the expected part.
    partial: BytesMut,
    /// Bytes of the current frame that still pass unchanged.
    passing: usize,
    block: Option<Block>,
}

/// What is known of the client. It sends the same authority in all of its calls, so the first header block decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    Unknown,
    /// h2 accepts the client's headers as they are.
    Accepted,
    /// Every header block of the client is rewritten, because h2 does not know the client's table.
    Rewritten,
}

enum Expected {
    Preface,
    Head,
    /// The payload of a HEADERS or CONTINUATION frame.
    Payload(Head),
}

#[derive(Clone, Copy)]
struct Head {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

/// A header block whose last frame has not arrived yet.
struct Block {
    stream: u32,
    end_stream: u8,
    priority: Vec<u8>,
    fragments: Vec<u8>,
    /// Bytes of all frames of this block so far.
    spent: usize,
}

impl Default for Frames {
    fn default() -> Self {
        let (headers, partial) = (HeaderBlocks::default(), BytesMut::new());
        Self {
            headers,
            client: Client::Unknown,
            expected: Expected::Preface,
            partial,
            passing: 0,
            block: None,
        }
    }
}

impl Frames {
    /// True once everything that the client sends passes unchanged.
    pub(crate) fn is_passthrough(&self) -> bool {
        self.client == Client::Accepted
    }

    /// Consumes the client's next bytes from `input`, which may be cut anywhere, and appends what h2 is to read to `out`, until `input` is
    /// empty or `out` holds [`OUT_BYTES`].
    pub(crate) fn push(&mut self, input: &mut &[u8], out: &mut BytesMut) -> Result<(), Malformed> {
        while !input.is_empty() && out.len() < OUT_BYTES {
            if self.is_passthrough() {
                out.put_slice(std::mem::take(input));
                break;
            }
            let passed = self.passing.min(input.len());
            out.put_slice(&input[..passed]);
            self.passing -= passed;
            *input = &input[passed..];

            let taken = (self.expected_bytes() - self.partial.len()).min(input.len());
            self.partial.put_slice(&input[..taken]);
            *input = &input[taken..];
            if self.passing == 0 && self.partial.len() == self.expected_bytes() {
                let whole = self.partial.split();
                self.take(&whole, out)?;
            }
        }
        Ok(())
    }

    fn expected_bytes(&self) -> usize {
        match self.expected {
            Expected::Preface => PREFACE.len(),
            Expected::Head => HEAD_BYTES,
            Expected::Payload(head) => head.length,
        }
    }

    fn take(&mut self, whole: &[u8], out: &mut BytesMut) -> Result<(), Malformed> {
        match std::mem::replace(&mut self.expected, Expected::Head) {
            Expected::Preface if whole == PREFACE => out.put_slice(whole),
            Expected::Preface => return Err(Malformed::Preface),
            Expected::Head => self.head(Head::read(whole), whole, out)?,
            Expected::Payload(head) => self.payload(head, whole, out)?,
        }
        Ok(())
    }

    fn head(&mut self, head: Head, whole: &[u8], out: &mut BytesMut) -> Result<(), Malformed> {
        let in_sequence = match &self.block {
            Some(block) => head.kind == CONTINUATION && head.stream == block.stream,
            None => head.kind != CONTINUATION,
        };
        match head.kind {
            _ if !in_sequence => Err(Malformed::Sequence),
            HEADERS | CONTINUATION if head.length > FRAME_BYTES => Err(Malformed::FrameSize),
            HEADERS | CONTINUATION if head.length == 0 => self.payload(head, &[], out),
            HEADERS | CONTINUATION => {
                self.expected = Expected::Payload(head);
                Ok(())
            }
            _ => {
                out.put_slice(whole);
                self.passing = head.length;
                Ok(())
            }
        }
    }

    fn payload(&mut self, head: Head, payload: &[u8], out: &mut BytesMut) -> Result<(), Malformed> {
        let mut block = match self.block.take() {
            Some(block) => block.continued(payload),
            None => Block::start(head, payload)?,
        };
        block.spent += HEAD_BYTES + head.length;
        if block.spent > BLOCK_BYTES {
            return Err(Malformed::BlockSize);
        }
        if head.flags & END_HEADERS == 0 {
            self.block = Some(block);
            return Ok(());
        }
        let (rewritten, changed) = self.headers.rewrite(&block.fragments)?;
        if self.client == Client::Unknown {
            self.client = if changed { Client::Rewritten } else { Client::Accepted };
        }
        block.write(if self.is_passthrough() { &block.fragments } else { &rewritten }, out);
        Ok(())
    }
}

impl Head {
    fn read(bytes: &[u8]) -> Self {
        let number = |part: &[u8]| part.iter().fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
        Self {
            length: number(&bytes[..3]) as usize,
            kind: bytes[3],
            flags: bytes[4],
            stream: number(&bytes[5..]),
        }
    }

    fn write(self, out: &mut BytesMut) {
        out.put_uint(self.length as u64, 3);
        out.put_u8(self.kind);
        out.put_u8(self.flags);
        out.put_u32(self.stream);
    }
}

impl Block {
    fn start(head: Head, payload: &[u8]) -> Result<Self, Malformed> {
        let mut rest = payload;
        let mut padding = 0;
        if head.flags & PADDED != 0 {
            let (&length, after) = rest.split_first().ok_or(Malformed::Padding)?;
            (padding, rest) = (usize::from(length), after);
        }
        let priority = if head.flags & PRIORITY != 0 { PRIORITY_BYTES } else { 0 };
        let (priority, rest) = rest.split_at_checked(priority).ok_or(Malformed::Padding)?;
        let fragment = rest.len().checked_sub(padding).map(|end| &rest[..end]).ok_or(Malformed::Padding)?;
        Ok(Self {
            stream: head.stream,
            end_stream: head.flags & END_STREAM,
            priority: priority.into(),
            fragments: fragment.into(),
            spent: 0,
        })
    }

    fn continued(mut self, payload: &[u8]) -> Self {
        self.fragments.extend_from_slice(payload);
        self
    }

    /// Writes `headers` as frames within the server's limit: a block grows when Huffman coding and indices are decoded.
    fn write(&self, headers: &[u8], out: &mut BytesMut) {
        let (first, mut rest) = headers.split_at(headers.len().min(FRAME_BYTES - self.priority.len()));
        let end = |rest: &[u8]| if rest.is_empty() { END_HEADERS } else { 0 };
        let priority = if self.priority.is_empty() { 0 } else { PRIORITY };
        let length = self.priority.len() + first.len();
        Head { length, kind: HEADERS, flags: self.end_stream | priority | end(rest), stream: self.stream }
            .write(out);
        out.put_slice(&self.priority);
        out.put_slice(first);
        while !rest.is_empty() {
            let (part, after) = rest.split_at(rest.len().min(FRAME_BYTES));
            Head { length: part.len(), kind: CONTINUATION, flags: end(after), stream: self.stream }
                .write(out);
            out.put_slice(part);
            rest = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use loona_hpack::{Decoder, Encoder};
    use proptest::prelude::*;

    use super::*;

    /// What grpc-go 1.56.3 sent for three calls of Version after `grpc.Dial` of a path: with Huffman coding, an index
    /// into the dynamic table from the second call on, window updates and pings between.
    const GRPC_GO: &str = concat!(
        "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a0000000400000000000000000401000000000000770104000000018386459a63",
        "b84745738c2bdedd92fd86ee5b35d87ee690b631c4b620c7ab41a163b8ec62cb6a610525854a16424f6156220cb5761fb9a42d8863b8eda1",
        "2ba0e4eb5f8b1d75d0620d263d4c4d65647a8b9acac8b4c7602bb6e2ecff40027465864d833505b11f40899acac8b24d494f6a7f85088000",
        "029f000005000100000001000000000000000806010000000002041010090e07070000040800000000000000000500000806000000000002",
        "041010090e070700000e0104000000038386c3c2c1c0bf7e85085f00014f0000050001000000030000000000000008060100000000020410",
        "10090e07070000040800000000000000000500000806000000000002041010090e070700000e0104000000058386c4c3c2c1c07e85085e00",
        "014f000005000100000005000000000000000806010000000002041010090e07070000040800000000000000000500000806000000000002",
        "041010090e0707",
    );

    fn captured() -> Vec<u8> {
        let digits = GRPC_GO.as_bytes().chunks(2);
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    fn rewritten(input: &[u8]) -> Result<Vec<u8>, Malformed> {
        let mut out = Vec::new();
        push_all(&mut Frames::default(), input, &mut out).map(|()| out)
    }

    fn push_all(frames: &mut Frames, mut input: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        while !input.is_empty() {
            let mut part = BytesMut::new();
            frames.push(&mut input, &mut part)?;
            out.extend_from_slice(&part);
        }
        Ok(())
    }

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = BytesMut::new();
        Head { length: payload.len(), kind, flags, stream }.write(&mut out);
        [&out, payload].concat()
    }

    fn sent(frames: &[Vec<u8>]) -> Vec<u8> {
        [PREFACE.to_vec(), frames.concat()].concat()
    }

    /// The first call of a client whose blocks are all rewritten.
    fn old_call() -> Vec<u8> {
        frame(HEADERS, END_HEADERS, 1, &Encoder::new().encode([(&b":authority"[..], &b"/a/b.sock"[..])]))
    }

    /// All frames after the preface: kind, flags, stream, payload.
    fn read(bytes: &[u8]) -> Vec<(u8, u8, u32, Vec<u8>)> {
        let mut rest = bytes.strip_prefix(PREFACE).unwrap();
        let mut frames = Vec::new();
        while !rest.is_empty() {
            let head = Head::read(&rest[..HEAD_BYTES]);
            let (payload, after) = rest[HEAD_BYTES..].split_at(head.length);
            frames.push((head.kind, head.flags, head.stream, payload.to_vec()));
            rest = after;
        }
        frames
    }

    fn decoded(block: &[u8]) -> Vec<(String, String)> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Decoder::new()
            .decode(block)
            .unwrap()
            .into_iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    fn header(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    #[test]
    fn every_call_of_an_old_driver_gets_the_authority_localhost_and_no_other_change() {
        let before = read(&captured());
        let after = read(&rewritten(&captured()).unwrap());
        assert_eq!(before.len(), after.len());
        let mut timeouts = ["120000m", "119000m", "118000m"].into_iter();
        for (old, new) in before.iter().zip(&after) {
            if old.0 != HEADERS {
                assert_eq!(old, new);
                continue;
            }
            let headers = decoded(&new.3);
            assert_eq!((old.1, old.2), (new.1, new.2));
            assert_eq!(
                headers,
                [
                    header(":method", "POST"),
                    header(":scheme", "http"),
                    header(":path", "/v1alpha1.CSIDriverProvider/Version"),
                    header(":authority", "localhost"),
                    header("content-type", "application/grpc"),
                    header("user-agent", "grpc-go/1.56.3"),
                    header("te", "trailers"),
                    header("grpc-timeout", timeouts.next().unwrap()),
                ]
            );
        }
        assert_eq!(timeouts.next(), None);
    }

    #[test]
    fn after_a_valid_authority_every_byte_stays() {
        let mut client = Encoder::new();
        let mut call = |stream| {
            let block = client
                .encode([(&b":authority"[..], &b"node-1.example:8080"[..]), (b"grpc-timeout", b"120S")]);
            frame(HEADERS, END_HEADERS, stream, &block)
        };
        let input = sent(&[
            call(1),
            frame(0, END_STREAM, 1, b"data"),
            call(3),
            frame(CONTINUATION, 0, 9, b"h2 refuses this"),
        ]);
        assert_eq!(rewritten(&input).unwrap(), input);
    }

    #[test]
    fn a_valid_authority_after_an_invalid_one_stays() {
        let block = Encoder::new().encode([(&b":authority"[..], &b"node-1.example:8080"[..])]);
        let after = read(&rewritten(&sent(&[old_call(), frame(HEADERS, END_HEADERS, 3, &block)])).unwrap());
        assert_eq!(decoded(&after[0].3), [header(":authority", "localhost")]);
        assert_eq!(decoded(&after[1].3), [header(":authority", "node-1.example:8080")]);
    }

    #[test]
    fn a_block_in_several_frames_with_padding_and_priority_is_one_block() {
        let block = Encoder::new().encode([
            (&b":method"[..], &b"POST"[..]),
            (b":authority", b"/a/b.sock"),
            (b"te", b"trailers"),
        ]);
        let (first, second) = block.split_at(5);
        let padded = [&[3][..], &[0, 0, 0, 0, 16], first, &[0; 3]].concat();
        let pieces = [
            frame(HEADERS, PADDED | PRIORITY | END_STREAM, 7, &padded),
            frame(CONTINUATION, 0, 7, second),
            frame(CONTINUATION, END_HEADERS, 7, &[]),
        ];
        let after = read(&rewritten(&sent(&pieces)).unwrap());
        assert_eq!(
            (after.len(), after[0].0, after[0].1, after[0].2),
            (1, HEADERS, PRIORITY | END_STREAM | END_HEADERS, 7)
        );
        assert_eq!(after[0].3[..5], [0, 0, 0, 0, 16]);
        let headers = decoded(&after[0].3[5..]);
        assert_eq!(
            headers,
            [header(":method", "POST"), header(":authority", "localhost"), header("te", "trailers")]
        );
    }

    #[test]
    fn a_block_that_grows_is_split_into_frames_of_the_allowed_size() {
        let value = [b'v'; 1000];
        let mut block = Encoder::new().encode([(&b"big"[..], &value[..])]);
        block.extend([0x80 | 62; 40]); // the same header again, by its index
        let after = read(
            &rewritten(&sent(&[old_call(), frame(HEADERS, END_HEADERS | END_STREAM, 3, &block)])).unwrap(),
        );
        let after = &after[1..];
        let flags: Vec<_> =
            after.iter().map(|frame| (frame.0, frame.1, frame.3.len() <= FRAME_BYTES)).collect();
        assert_eq!(
            flags,
            [(HEADERS, END_STREAM, true), (CONTINUATION, 0, true), (CONTINUATION, END_HEADERS, true)]
        );
        let whole: Vec<u8> = after.iter().flat_map(|frame| frame.3.clone()).collect();
        assert_eq!(decoded(&whole).len(), 41);
    }

    #[test]
    fn short_blocks_with_many_headers_are_decoded_one_at_a_time() {
        let first = Encoder::new().encode([(&b"big"[..], &[b'v'; 4000][..])]);
        let mut frames = vec![old_call(), frame(HEADERS, END_HEADERS, 3, &first)];
        frames.extend((2..600).map(|call| frame(HEADERS, END_HEADERS, 2 * call + 1, &[0x80 | 62; 16])));
        let input = sent(&frames);
        let (mut reader, mut rest, mut most, mut blocks) = (Frames::default(), &input[..], 0, 0);
        while !rest.is_empty() {
            let mut out = BytesMut::new();
            reader.push(&mut rest, &mut out).unwrap();
            most = most.max(out.len());
            blocks += 1;
        }
        assert!(most < 2 * 64 * 1024 && blocks >= 598, "{most} bytes at a time, {blocks} times");
    }

    #[test]
    fn bytes_that_are_not_http_2_end_the_connection() {
        let block = Encoder::new().encode([(&b"te"[..], &b"trailers"[..])]);
        let bomb =
            [&Encoder::new().encode([(&b"big"[..], &[b'v'; 3000][..])])[..], &[0x80 | 62; 100]].concat();
        let cases = [
            (b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(), Malformed::Preface),
            (sent(&[frame(CONTINUATION, END_HEADERS, 1, &block)]), Malformed::Sequence),
            (sent(&[frame(HEADERS, 0, 1, &block), frame(0, 0, 1, b"data")]), Malformed::Sequence),
            (
                sent(&[frame(HEADERS, 0, 1, &block), frame(CONTINUATION, END_HEADERS, 3, &[])]),
                Malformed::Sequence,
            ),
            (sent(&[frame(HEADERS, END_HEADERS, 1, &[0; FRAME_BYTES + 1])]), Malformed::FrameSize),
            (sent(&[frame(HEADERS, END_HEADERS | PADDED, 1, &[])]), Malformed::Padding),
            (sent(&[frame(HEADERS, END_HEADERS | PADDED, 1, &[9, 0x82])]), Malformed::Padding),
            (sent(&[frame(HEADERS, END_HEADERS | PRIORITY, 1, &[0; 4])]), Malformed::Padding),
            (
                sent(&[frame(HEADERS, END_HEADERS, 1, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff])]),
                Malformed::Hpack,
            ),
            (sent(&[frame(HEADERS, END_HEADERS, 1, &[0x80])]), Malformed::Hpack),
            (sent(&[frame(HEADERS, END_HEADERS, 1, &[0x3f, 0xe2, 0x1f, 0x82])]), Malformed::Hpack),
            (sent(&[frame(HEADERS, END_HEADERS, 1, &bomb)]), Malformed::BlockSize),
            (
                sent(
                    &[vec![frame(HEADERS, 0, 1, &block)], vec![frame(CONTINUATION, 0, 1, &[]); 4000]]
                        .concat(),
                ),
                Malformed::BlockSize,
            ),
        ];
        for (input, expected) in cases {
            assert_eq!(rewritten(&input).unwrap_err(), expected);
        }
    }

    proptest! {
        #[test]
        fn the_boundaries_of_reads_do_not_change_the_result(cuts in prop::collection::vec(1..40_usize, 1..200)) {
            let input = captured();
            let (mut frames, mut out, mut rest) = (Frames::default(), Vec::new(), &input[..]);
            for cut in cuts.iter().cycle() {
                let (part, after) = rest.split_at((*cut).min(rest.len()));
                push_all(&mut frames, part, &mut out).unwrap();
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(out, rewritten(&input).unwrap());
        }

        #[test]
        fn no_input_causes_a_panic(noise in prop::collection::vec((0..11_u8, any::<u8>(), 0..4_u32, prop::collection::vec(any::<u8>(), 0..60)), 0..12)) {
            let frames: Vec<_> = noise.iter().map(|(kind, flags, stream, payload)| frame(*kind, *flags, *stream, payload)).collect();
            let input = sent(&frames);
            if let Ok(out) = rewritten(&input) {
                let untouched = |bytes: &[u8]| read(bytes).into_iter().filter(|frame| frame.0 != HEADERS && frame.0 != CONTINUATION).collect::<Vec<_>>();
                prop_assert_eq!(untouched(&out), untouched(&input));
            }
        }
    }
}
