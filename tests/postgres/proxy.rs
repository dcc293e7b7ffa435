//! A proxy in front of the server, which can cut a connection.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::server::{Database, pool};

/// When a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// When a client sends COMMIT.
    AtCommit,
    /// At the n-th message of the clients from now on, counted from 1.
    AtMessage(usize),
}

/// A proxy that cuts one connection: before the server receives a message, or after it, so that the answer is lost.
#[derive(Clone)]
pub(crate) struct Proxy {
    address: SocketAddr,
    cut: Arc<Mutex<Option<Cut>>>,
    lets_through: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Self { address, cut: Arc::default(), lets_through: Arc::default() };
        let forwards = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", Database::port())).await.unwrap();
                tokio::spawn(forwards.clone().forward(client, server));
            }
        });
        proxy
    }

    /// Connections to a database through the proxy.
    pub(crate) fn pool(&self, database: &Database) -> Pool {
        let mut config = tokio_postgres::Config::new();
        let of = database.config();
        config
            .host("127.0.0.1")
            .port(self.address.port())
            .user(of.get_user().unwrap())
            .dbname(&database.name);
        pool(config)
    }

    pub(crate) fn cut(&self, cut: Cut) {
        *self.cut.lock().unwrap() = Some(cut);
    }

    /// Whether the last planned cut has happened.
    pub(crate) fn has_cut(&self) -> bool {
        self.cut.lock().unwrap().is_none()
    }

    pub(crate) fn answers_are_lost(&self, lost: bool) {
        self.lets_through.store(lost, Ordering::SeqCst);
    }

    /// Whether the connection is cut at this message.
    fn is_cut_at(&self, message: &[u8]) -> bool {
        let mut cut = self.cut.lock().unwrap();
        let is_cut = match &mut *cut {
            Some(Cut::AtCommit) => message.windows(7).any(|window| window == b"COMMIT\0"),
            Some(Cut::AtMessage(left)) => {
                *left -= 1;
                *left == 0
            }
            None => false,
        };
        if is_cut {
            *cut = None;
        }
        is_cut
    }

    async fn forward(self, client: TcpStream, server: TcpStream) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let up = async move {
            let mut bytes = vec![0; 65_536];
            while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
                if self.is_cut_at(&bytes[..count]) {
                    if self.lets_through.load(Ordering::SeqCst) {
                        to_server.write_all(&bytes[..count]).await.unwrap();
                        // The server carries out the message, and its answer is lost.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    return;
                }
                if to_server.write_all(&bytes[..count]).await.is_err() {
                    return;
                }
            }
        };
        let down = async move {
            let mut bytes = vec![0; 65_536];
            while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
                // Messages after the cut do not arrive any more.
                if to_client.write_all(&bytes[..count]).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! { () = up => {}, () = down => {} }
    }
}
