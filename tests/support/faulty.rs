//! A server that misbehaves on request, for faults that a real server does not have.
//!
//! It writes HTTP/1.1 itself, because an HTTP library would not send malformed responses. The replies of a path are sent in turn and
//! the last one is repeated. A path without replies gets 404, or the response of the real server behind. Loopback only.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// A listening server; stopped when the value is dropped.
pub(crate) struct Faulty {
    address: SocketAddr,
    script: Arc<Script>,
    task: JoinHandle<()>,
}

/// One received request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// As received: encoded, with its query.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

/// The reply to one request.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    fault: Option<Fault>,
    delay: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// One byte of the body in each of these times.
    Drips(Duration),
    /// No response; the connection stays open.
    Silent,
    /// The connection is closed after that many bytes of the body.
    CutAfter(usize),
    /// No more data after that many bytes of the body; the connection stays open.
    StallsAfter(usize),
    /// The body never ends.
    Endless,
}

#[derive(Default)]
struct Script {
    replies: Mutex<HashMap<String, Vec<Reply>>>,
    /// The reply to all requests, while it is set.
    everything: Mutex<Option<Reply>>,
    /// How much later the response of the real server is sent, by path.
    delays: Mutex<HashMap<String, Duration>>,
    /// The address of a real server, which answers requests without a reply here.
    upstream: Option<(String, reqwest::Client)>,
    calls: Mutex<Vec<Call>>,
    connections: AtomicUsize,
    sent: AtomicUsize,
}

impl Faulty {
    /// Starts the server, which answers every login at `auth/kubernetes/login` with the token `faulty-token`.
    pub(crate) async fn start() -> Self {
        let faulty = Self::with(Script::default()).await;
        faulty.on(
            "auth/kubernetes/login",
            [Reply::json(&json!({ "auth": { "client_token": "faulty-token", "accessor": "a" } }))],
        );
        faulty
    }

    #[allow(dead_code, reason = "only some tests stand before a real server")]
    /// A proxy before the real server at `upstream`, which answers every path without replies.
    pub(crate) async fn before(upstream: String) -> Self {
        Self::with(Script { upstream: Some((upstream, reqwest::Client::new())), ..Script::default() }).await
    }

    async fn with(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, script) = (listener.local_addr().unwrap(), Arc::new(script));
        Self { address, task: tokio::spawn(serve(listener, Arc::clone(&script))), script }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    #[allow(dead_code, reason = "only some tests stand before a real server")]
    /// Removes the replies for `path`: from now on the real server answers it.
    pub(crate) fn forget(&self, path: &str) {
        self.script.replies.lock().unwrap().remove(path);
    }

    /// Sets the replies for `path` (without `/v1/` and query): they are sent in turn, and the last one is repeated.
    pub(crate) fn on(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        self.script.replies.lock().unwrap().insert(path.to_owned(), replies.into_iter().collect());
    }

    /// Answers every request with `reply`; with `None` as before.
    pub(crate) fn everything(&self, reply: Option<Reply>) {
        *self.script.everything.lock().unwrap() = reply;
    }

    /// Sends the real server's responses for `path` that much later.
    pub(crate) fn delay(&self, path: &str, delay: Duration) {
        self.script.delays.lock().unwrap().insert(path.to_owned(), delay);
    }

    /// The requests for `path` so far.
    pub(crate) fn calls(&self, path: &str) -> Vec<Call> {
        let calls = self.script.calls.lock().unwrap();
        calls.iter().filter(|call| place(&call.target) == path).cloned().collect()
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.script.connections.load(Ordering::SeqCst)
    }

    /// Bytes of bodies that clients have received so far.
    pub(crate) fn sent(&self) -> usize {
        self.script.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reply {
    /// 200 with `value`.
    pub(crate) fn json(value: &Value) -> Self {
        Self::raw(200, value.to_string())
    }

    /// `status` with the error text of a server.
    pub(crate) fn error(status: u16, text: &str) -> Self {
        Self::raw(status, json!({ "errors": [text] }).to_string())
    }

    /// `status` with any body.
    pub(crate) fn raw(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), fault: None, delay: Duration::ZERO }
    }

    /// 307 to `location`.
    pub(crate) fn redirect(location: &str) -> Self {
        Self::raw(307, "").header("Location", location)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Reads the request and sends no response.
    pub(crate) fn silent() -> Self {
        Self { fault: Some(Fault::Silent), ..Self::raw(200, "") }
    }

    /// Reads the request and closes the connection before the first byte.
    pub(crate) fn hang_up() -> Self {
        Self { fault: Some(Fault::CutAfter(usize::MAX)), ..Self::raw(200, "") }
    }

    /// A body that never ends.
    pub(crate) fn endless() -> Self {
        Self { fault: Some(Fault::Endless), ..Self::raw(200, "") }
    }

    /// Closes the connection after `bytes` of the body.
    pub(crate) fn cut_after(mut self, bytes: usize) -> Self {
        self.fault = Some(Fault::CutAfter(bytes));
        self
    }

    /// Sends `bytes` of the body and no more.
    pub(crate) fn stalls_after(mut self, bytes: usize) -> Self {
        self.fault = Some(Fault::StallsAfter(bytes));
        self
    }

    /// Sends one byte of the body in each `time`.
    pub(crate) fn drips(mut self, time: Duration) -> Self {
        self.fault = Some(Fault::Drips(time));
        self
    }

    /// Sends the response `delay` after the request.
    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match (self.status, self.fault) {
            (204, _) | (_, Some(Fault::Endless)) => head + "\r\n",
            _ => format!("{head}Content-Length: {}\r\n\r\n", self.body.len()),
        }
    }
}

async fn serve(listener: TcpListener, script: Arc<Script>) {
    // Its connections end with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        script.connections.fetch_add(1, Ordering::SeqCst);
        connections.spawn(connection(stream, Arc::clone(&script)));
    }
}

async fn connection(stream: TcpStream, script: Arc<Script>) {
    let mut stream = BufReader::new(stream);
    while let Some(call) = read(&mut stream).await {
        let reply = match script.reply(&call) {
            Some(reply) => reply,
            None => script.forward(&call).await,
        };
        script.calls.lock().unwrap().push(call);
        if answer(stream.get_mut(), &reply, &script).await.is_none() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Call> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some(Call { method, target, headers, body: String::from_utf8(body).unwrap() })
}

/// Sends the response; `None` when the connection is over.
async fn answer(stream: &mut TcpStream, reply: &Reply, script: &Script) -> Option<()> {
    let whole = reply.body.len();
    sleep(reply.delay).await;
    let (bytes, over) = match reply.fault {
        Some(Fault::Drips(_)) => (0, false),
        None | Some(Fault::Endless) => (whole, false),
        Some(Fault::Silent) => std::future::pending().await,
        Some(Fault::CutAfter(usize::MAX)) => return None,
        Some(Fault::CutAfter(bytes) | Fault::StallsAfter(bytes)) => (bytes.min(whole), true),
    };
    stream.write_all(reply.head().as_bytes()).await.ok()?;
    stream.write_all(&reply.body[..bytes]).await.ok()?;
    script.sent.fetch_add(bytes, Ordering::SeqCst);
    match reply.fault {
        Some(Fault::StallsAfter(_)) => std::future::pending().await,
        Some(Fault::Endless) => endless(stream, script).await,
        Some(Fault::Drips(time)) => {
            for byte in &reply.body {
                sleep(time).await;
                stream.write_all(&[*byte]).await.ok()?;
            }
            Some(())
        }
        _ if over => None,
        _ => Some(()),
    }
}

async fn endless(stream: &mut TcpStream, script: &Script) -> Option<()> {
    loop {
        let piece = [b' '; 16 * 1024];
        stream.write_all(&piece).await.ok()?;
        script.sent.fetch_add(piece.len(), Ordering::SeqCst);
    }
}

impl Script {
    /// The reply for the request; `None` when the real server must answer.
    fn reply(&self, call: &Call) -> Option<Reply> {
        if let Some(reply) = &*self.everything.lock().unwrap() {
            return Some(reply.clone());
        }
        let mut replies = self.replies.lock().unwrap();
        match replies.get_mut(place(&call.target)) {
            Some(replies) if replies.len() > 1 => Some(replies.remove(0)),
            Some(replies) => Some(replies[0].clone()),
            None if self.upstream.is_some() => None,
            None => Some(Reply::raw(404, r#"{"errors": []}"#)),
        }
    }

    /// The real server's response to `call`.
    async fn forward(&self, call: &Call) -> Reply {
        let (upstream, http) = self.upstream.as_ref().unwrap();
        let mut request = http
            .request(call.method.parse().unwrap(), format!("{upstream}{}", call.target))
            .body(call.body.clone());
        for (name, value) in
            call.headers.iter().filter(|(name, _)| name.starts_with("x-") || name.as_str() == "content-type")
        {
            request = request.header(name, value);
        }
        let Ok(response) = request.send().await else { return Reply::hang_up() };
        let status = response.status().as_u16();
        let delay = self.delays.lock().unwrap().get(place(&call.target)).copied().unwrap_or_default();
        Reply::raw(status, response.bytes().await.map(Vec::from).unwrap_or_default()).after(delay)
    }
}

/// The path of a target, also of one in a proxy's form: `http://host/v1/a?b` is `a`.
fn place(target: &str) -> &str {
    let path = target.split('?').next().unwrap_or_default();
    path.split_once("/v1/").map_or(path, |(_, path)| path)
}
