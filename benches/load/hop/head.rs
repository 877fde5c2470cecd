//! Requests on a connection of HTTP/1.1: their heads are parsed, their bodies skipped.

/// Longest head, in bytes.
const HEAD: usize = 64 * 1024;

/// Position in a connection's bytes.
#[derive(Debug)]
pub(super) enum Stream {
    /// In a head, with the bytes received so far.
    Head(Vec<u8>),
    /// In a body, with the number of bytes still to come.
    Body(usize),
    /// After bytes that could not be parsed: nothing after them is counted.
    Opaque,
}

impl Stream {
    /// Takes the next bytes. Returns the requests that began in them, as `GET secret/data/*`, or the single word `opaque`.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            bytes = match self {
                Self::Opaque => return found,
                Self::Body(left) => {
                    let passed = bytes.len().min(*left);
                    *left -= passed;
                    if *left == 0 {
                        *self = Self::Head(Vec::new());
                    }
                    &bytes[passed..]
                }
                Self::Head(_) => self.head(bytes, &mut found),
            };
        }
        found
    }

    /// Takes the bytes that belong to the head and returns the rest.
    fn head<'b>(&mut self, bytes: &'b [u8], found: &mut Vec<String>) -> &'b [u8] {
        let Self::Head(head) = self else { return bytes };
        let before = head.len();
        head.extend_from_slice(bytes);
        let Some(end) = end(head, before) else {
            if head.len() > HEAD {
                found.push(self.lost());
            }
            return &[];
        };
        match parse(&head[..end]) {
            Some((call, body)) => {
                found.push(call);
                *self = if body > 0 { Self::Body(body) } else { Self::Head(Vec::new()) };
            }
            None => found.push(self.lost()),
        }
        &bytes[end - before..]
    }

    fn lost(&mut self) -> String {
        *self = Self::Opaque;
        "opaque".into()
    }
}

/// Where the head ends, its empty line included. The search starts at `from`.
fn end(head: &[u8], from: usize) -> Option<usize> {
    let from = from.saturating_sub(3);
    head[from..].windows(4).position(|four| four == b"\r\n\r\n").map(|at| from + at + 4)
}

/// The call of a head and the length of its body. `None` for HTTP/2 and for chunked bodies, which no client here sends.
fn parse(head: &[u8]) -> Option<(String, usize)> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let (method, target) = lines.next()?.strip_suffix(" HTTP/1.1")?.split_once(' ')?;
    let mut length = 0;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return None;
        }
    }
    Some((format!("{method} {}", class(target)), length))
}

/// The class of a path: the whole path for logins and calls about a token, else the first two parts.
fn class(target: &str) -> String {
    let path = target.split('?').next().unwrap_or_default();
    let path = path.strip_prefix("/v1/").unwrap_or(path);
    match path.splitn(3, '/').collect::<Vec<_>>()[..] {
        ["auth", ..] => path.into(),
        [mount, kind, _] => format!("{mount}/{kind}/*"),
        _ => path.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "POST /v1/auth/kubernetes/login HTTP/1.1\r\nHost: bao\r\ncontent-LENGTH: 9\r\n\r\n{\"a\":\r\n\r\n\
                       GET /v1/secret/data/team-a/db?version=2 HTTP/1.1\r\nX-Vault-Token: t\r\n\r\n";

    #[test]
    fn requests_are_found_however_their_bytes_arrive() {
        for piece in 1..=TWO.len() {
            let mut stream = Stream::Head(Vec::new());
            let found: Vec<String> =
                TWO.as_bytes().chunks(piece).flat_map(|bytes| stream.feed(bytes)).collect();
            assert_eq!(found, ["POST auth/kubernetes/login", "GET secret/data/*"], "in pieces of {piece}");
        }
    }

    #[test]
    fn unknown_bytes_are_reported_once_and_passed_on() {
        let chunked = "POST /v1/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
        for text in
            ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", chunked, "\u{16}\u{3}\r\n\r\n", &"x".repeat(HEAD + 1)]
        {
            let mut stream = Stream::Head(Vec::new());
            assert_eq!(stream.feed(text.as_bytes()), ["opaque"], "{}", &text[..10]);
            assert!(stream.feed(TWO.as_bytes()).is_empty());
        }
    }

    #[test]
    fn classes_are_few() {
        let classes = [
            "/v1/sys/health",
            "/v1/pki/issue/web",
            "/v1/auth/token/revoke-self",
            "/v1/secret/data/a/b/c",
            "/",
        ]
        .map(class);
        assert_eq!(classes, ["sys/health", "pki/issue/*", "auth/token/revoke-self", "secret/data/*", "/"]);
    }
}
