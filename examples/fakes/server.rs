//! A small HTTP/1.1 server that can produce the faults of a network.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        pairs(&String::from_utf8_lossy(&self.body))
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// An answer to send.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, body: body.to_string().into_bytes() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A gateway that answers requests.
pub(crate) trait Gateway: Send + Sync + 'static {
    /// The kind of a request: `read`, `list`, `erase` or another word.
    fn operation(&self, call: &Call) -> &'static str;
    /// Takes effect, and answers.
    fn answer(&self, call: &Call) -> Answer;
    /// The answer when there are too many requests.
    fn too_many(&self, retry_after: Option<&str>) -> Answer;
    /// The answer when the server has an internal error.
    fn broken(&self, status: u16) -> Answer;
}

/// A fault of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Too many requests, with or without a Retry-After.
    TooMany(Option<&'static str>),
    /// The server answers an error, before the request takes effect.
    ErrorBefore(u16),
    /// The request takes effect, but the server answers an error.
    ErrorAfter(u16),
    /// The connection is reset before the request takes effect.
    ResetBefore,
    /// The request takes effect, but the connection is reset in the middle of the answer.
    ResetAfter,
    /// The request takes effect, but there is never an answer.
    HangAfter,
    /// The request takes no effect, and there is never an answer.
    HangBefore,
    /// The request takes effect, but the answer is not JSON.
    Garbage,
    /// The request takes effect, but the answer is JSON with other content.
    Nonsense,
    /// The request takes effect, but the answer never ends.
    Giant,
    /// The request takes effect, and the answer arrives byte by byte.
    Drip,
    /// The request takes effect, and the answer begins with a byte-order mark.
    ByteOrderMark,
    /// A redirect to another place.
    Redirect(String),
}

#[derive(Default)]
struct Switches {
    /// Each fault is for the next request of its operation, or for the next request of any kind if it has no
    /// operation.
    faults: VecDeque<(Option<&'static str>, Fault)>,
    /// The fault of every request, until it is removed.
    down: Option<Fault>,
    latency: Duration,
    /// The maximum number of requests per second, for one operation or for all requests.
    limit: Option<(Option<&'static str>, usize)>,
    recent: VecDeque<Instant>,
    calls: Vec<(&'static str, Call)>,
    too_many: usize,
}

/// A gateway on a free port of loopback. It stops when it is dropped.
pub(crate) struct Server<G> {
    pub(crate) gateway: Arc<G>,
    address: std::net::SocketAddr,
    switches: Arc<Mutex<Switches>>,
    task: JoinHandle<()>,
}

impl<G: Gateway> Server<G> {
    pub(crate) async fn start(gateway: G) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let gateway = Arc::new(gateway);
        let switches = Arc::new(Mutex::new(Switches::default()));
        let (serving, settings) = (Arc::clone(&gateway), Arc::clone(&switches));
        let task = tokio::spawn(async move {
            // The set of connections is dropped together with this task.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (gateway, switches) = (Arc::clone(&serving), Arc::clone(&settings));
                connections.spawn(async move {
                    // An error is ignored here: the client may close its connection at any time.
                    let _ = serve(stream, &*gateway, &switches).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { gateway, address, switches, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn fault(&self, operation: &'static str, fault: Fault) {
        self.switches.lock().unwrap().faults.push_back((Some(operation), fault));
    }

    /// Sets the faults of the next requests, in order.
    pub(crate) fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.switches.lock().unwrap().faults.extend(faults.into_iter().map(|fault| (None, fault)));
    }

    /// Sets the fault of every request. `None` removes it.
    pub(crate) fn down(&self, fault: Option<Fault>) {
        self.switches.lock().unwrap().down = fault;
    }

    pub(crate) fn latency(&self, latency: Duration) {
        self.switches.lock().unwrap().latency = latency;
    }

    pub(crate) fn limit(&self, operation: Option<&'static str>, per_second: usize) {
        self.switches.lock().unwrap().limit = Some((operation, per_second));
    }

    /// The number of received requests of an operation.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.switches.lock().unwrap().calls.iter().filter(|(found, _)| *found == operation).count()
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.switches.lock().unwrap().calls.iter().map(|(_, call)| call.clone()).collect()
    }

    /// The number of requests over the limit.
    pub(crate) fn too_many(&self) -> usize {
        self.switches.lock().unwrap().too_many
    }

    pub(crate) fn forget_calls(&self) {
        self.switches.lock().unwrap().calls.clear();
    }
}

impl<G> Drop for Server<G> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve<G: Gateway>(
    mut stream: TcpStream,
    gateway: &G,
    switches: &Mutex<Switches>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some(call) = read(&mut stream, &mut buffer).await? {
        let operation = gateway.operation(&call);
        let (fault, latency) = {
            let mut switches = switches.lock().unwrap();
            switches.calls.push((operation, call.clone()));
            let next = switches
                .faults
                .iter()
                .position(|(of, _)| of.is_none_or(|of| of == operation))
                .and_then(|n| switches.faults.remove(n));
            let mut fault = next.map(|(_, fault)| fault).or_else(|| switches.down.clone());
            if let Some((of, most)) = switches.limit
                && of.is_none_or(|of| of == operation)
                && fault.is_none()
            {
                let now = Instant::now();
                switches.recent.retain(|then| now.duration_since(*then) < Duration::from_secs(1));
                if switches.recent.len() < most {
                    switches.recent.push_back(now);
                } else {
                    switches.too_many += 1;
                    fault = Some(Fault::TooMany(Some("1")));
                }
            }
            (fault, switches.latency)
        };
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let Some(fault) = fault else {
            write(&mut stream, &gateway.answer(&call)).await?;
            continue;
        };
        match fault {
            Fault::TooMany(retry_after) => write(&mut stream, &gateway.too_many(retry_after)).await?,
            Fault::ErrorBefore(status) => write(&mut stream, &gateway.broken(status)).await?,
            Fault::ErrorAfter(status) => {
                gateway.answer(&call);
                write(&mut stream, &gateway.broken(status)).await?;
            }
            Fault::ResetBefore => return reset(&stream),
            Fault::ResetAfter => {
                let answer = bytes(&gateway.answer(&call));
                stream.write_all(&answer[..answer.len() - answer.len().min(7)]).await?;
                stream.flush().await?;
                return reset(&stream);
            }
            Fault::HangAfter => {
                gateway.answer(&call);
                std::future::pending::<()>().await;
            }
            Fault::HangBefore => std::future::pending::<()>().await,
            Fault::Garbage => {
                let answer = Answer { body: b"<html>Bad gateway</html>".to_vec(), ..gateway.answer(&call) };
                write(&mut stream, &answer).await?;
            }
            Fault::Nonsense => {
                gateway.answer(&call);
                write(&mut stream, &Answer::json(200, &serde_json::json!({"ok": true}))).await?;
            }
            Fault::Giant => {
                gateway.answer(&call);
                stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
                let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
                loop {
                    stream.write_all(&chunk).await?;
                }
            }
            Fault::Drip => {
                for byte in bytes(&gateway.answer(&call)) {
                    stream.write_all(&[byte]).await?;
                    stream.flush().await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            Fault::ByteOrderMark => {
                let mut answer = gateway.answer(&call);
                answer.body.splice(0..0, [0xEF, 0xBB, 0xBF]);
                write(&mut stream, &answer).await?;
            }
            Fault::Redirect(to) => {
                let answer = Answer { status: 307, headers: vec![("location", to)], body: Vec::new() };
                write(&mut stream, &answer).await?;
            }
        }
    }
    Ok(())
}

/// Closes the connection at once, so that the client sees a reset and not a normal end.
fn reset(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_zero_linger()
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Option<Call>> {
    let head_end = loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let mut lines = head.lines();
    let mut request = lines.next().unwrap_or_default().split(' ');
    let method = request.next().unwrap_or_default().to_owned();
    let target = request.next().unwrap_or_default().to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap_or(0));
    while buffer.len() < head_end + 4 + length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let body = buffer[head_end + 4..head_end + 4 + length].to_vec();
    buffer.drain(..head_end + 4 + length);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Ok(Some(Call { method, path: unescape(path), query: pairs(query), headers, body }))
}

fn bytes(answer: &Answer) -> Vec<u8> {
    let mut lines = vec![format!("HTTP/1.1 {} X", answer.status)];
    lines.extend(answer.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.push(format!("content-length: {}\r\n\r\n", answer.body.len()));
    [lines.join("\r\n").into_bytes(), answer.body.clone()].concat()
}

async fn write(stream: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    stream.write_all(&bytes(answer)).await?;
    stream.flush().await
}

fn pairs(form: &str) -> Vec<(String, String)> {
    form.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (unescape(name), unescape(value)))
        .collect()
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' && after.len() >= 2 {
            let hex = std::str::from_utf8(&after[..2]).unwrap_or("3F");
            bytes.push(u8::from_str_radix(hex, 16).unwrap_or(b'?'));
            rest = &after[2..];
        } else {
            bytes.push(if byte == b'+' { b' ' } else { byte });
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
