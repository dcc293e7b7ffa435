//! A PostgreSQL server for the tests. All tests of a process share it, and each test has its own database.
//!
//! The server listens on a free port of the loopback interface, writes to a temporary folder, and does not sync. If
//! root runs the tests, the server runs as the user `postgres` or `nobody`. A small shell watches the server. When
//! the tests end in any way, the shell's input ends. Then the shell stops the server and removes the folder.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use rusqlite::types::Value as Sql;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, NoTls};

/// Creates a cluster, runs the server, and waits for the end of its own input.
const SCRIPT: &str = r#"
bin=$1 folder=$2 port=$3 user=$4
as() { if [ "$user" = - ]; then exec "$@"; else exec setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@"; fi; }
trap '' INT TERM HUP
# What the tests were started with, such as a lock, is not the server's.
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
[ "$user" = - ] || chown "$user" "$folder"
cd "$folder" || exit 1
(as "$bin/initdb" -D "$folder/data" -U tester -A trust -E UTF8 --locale=C --no-sync) >"$folder/initdb.log" 2>&1 || exit 1
(as "$bin/postgres" -D "$folder/data" -p "$port" -k "$folder" -c listen_addresses=127.0.0.1 -c fsync=off \
    -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=32MB \
    -c autovacuum=off -c log_min_messages=warning) >"$folder/server.log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT "$server"
wait "$server"
rm -rf "$folder"
"#;

struct Server {
    port: u16,
    folder: PathBuf,
    _alive: ChildStdin,
}

/// The newest installed server. `RELINQUISH_POSTGRES` may name the program folder of another one.
fn programs() -> PathBuf {
    if let Some(folder) = std::env::var_os("RELINQUISH_POSTGRES") {
        return folder.into();
    }
    let releases = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let release = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = releases.map(|entry| entry.path()).max_by_key(release);
    newest.map_or_else(|| "/usr/bin".into(), |path| path.join("bin"))
}

/// The user for the server if root runs the tests, because PostgreSQL refuses root.
fn user() -> &'static str {
    let is_there = |name: &str| Command::new("id").arg(name).output().is_ok_and(|id| id.status.success());
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.starts_with(b"0\n"));
    match root {
        false => "-",
        true if is_there("postgres") => "postgres",
        true => "nobody",
    }
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let shared = Path::new("/dev/shm");
        let below = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        let folder = tempfile::Builder::new().prefix("relinquish-pg-").tempdir_in(below).unwrap().keep();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        #[expect(clippy::zombie_processes, reason = "the shell outlives the tests, whose end it waits for")]
        let mut watch = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .args([programs().as_os_str(), folder.as_os_str()])
            .args([port.to_string().as_str(), user()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let alive = watch.stdin.take().unwrap();
        let server = Server { port, folder: folder.clone(), _alive: alive };
        let until = Instant::now() + Duration::from_secs(60);
        while !is_up(&server) {
            let log = || ["initdb.log", "server.log"].map(|log| std::fs::read_to_string(folder.join(log)));
            assert!(watch.try_wait().unwrap().is_none(), "the server did not start: {:?}", log());
            assert!(Instant::now() < until, "the server is not up: {:?}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    })
}

fn is_up(server: &Server) -> bool {
    let config = config_of(server, "postgres");
    block_on_own(async move { config.connect(NoTls).await.is_ok() })
}

fn config_of(server: &Server, database: &str) -> Config {
    let mut config = Config::new();
    config.host("127.0.0.1").port(server.port).user("tester").dbname(database);
    config
}

/// Waits on a separate thread, because the caller may be inside a runtime.
fn block_on_own<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let wait =
            || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
        scope.spawn(wait).join().unwrap()
    })
}

/// The database of a test.
pub(crate) struct Database {
    pub(crate) name: String,
}

impl Database {
    /// A new database, in which some SQL was run.
    pub(crate) fn with(sql: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", NUMBER.fetch_add(1, Ordering::SeqCst));
        let create = format!("CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy");
        let plain = format!("CREATE DATABASE {name} TEMPLATE template0");
        let admin = config_of(server(), "postgres");
        block_on_own(async move {
            let (client, connection) = admin.connect(NoTls).await.unwrap();
            let _connection = tokio::spawn(connection);
            if client.batch_execute(&create).await.is_err() {
                client.batch_execute(&plain).await.unwrap();
            }
        });
        let database = Self { name };
        database.run(sql);
        database
    }

    pub(crate) fn config(&self) -> Config {
        config_of(server(), &self.name)
    }

    /// The folder of the database's own files.
    pub(crate) fn files(&self) -> PathBuf {
        let number = self.lines("SELECT oid FROM pg_database WHERE datname = current_database()").concat();
        server().folder.join("data/base").join(number)
    }

    /// The port of the server, for a proxy in front of it.
    pub(crate) fn port() -> u16 {
        server().port
    }

    /// Connections for a store.
    pub(crate) fn pool(&self) -> Pool {
        pool(self.config())
    }

    pub(crate) async fn connect(&self) -> Client {
        let (client, connection) = self.config().connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Runs some SQL.
    pub(crate) fn run(&self, sql: &str) {
        if sql.is_empty() {
            return;
        }
        let config = self.config();
        let sql = sql.to_owned();
        block_on_own(async move {
            let (client, connection) = config.connect(NoTls).await.unwrap();
            let _connection = tokio::spawn(connection);
            client.batch_execute(&sql).await.unwrap_or_else(|error| {
                panic!("{error:?}: {}", error.as_db_error().map_or(String::new(), ToString::to_string))
            });
        });
    }

    /// The rows of a query, each value as text.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let config = self.config();
        let sql = sql.to_owned();
        block_on_own(async move {
            let (client, connection) = config.connect(NoTls).await.unwrap();
            let _connection = tokio::spawn(connection);
            let mut rows = Vec::new();
            for message in client.simple_query(&sql).await.unwrap() {
                if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                    rows.push((0..row.len()).map(|n| row.get(n).map(str::to_owned)).collect());
                }
            }
            rows
        })
    }

    /// The rows of a query, by column.
    pub(crate) fn values(&self, sql: &str) -> Vec<BTreeMap<String, Sql>> {
        let config = self.config();
        let sql = sql.to_owned();
        block_on_own(async move {
            let (client, connection) = config.connect(NoTls).await.unwrap();
            let _connection = tokio::spawn(connection);
            let rows = client.query(&sql, &[]).await.unwrap();
            let value = |row: &tokio_postgres::Row, n: usize, of: &Type| match *of {
                Type::INT8 => row.get::<_, Option<i64>>(n).map(Sql::Integer),
                Type::TEXT => row.get::<_, Option<String>>(n).map(Sql::Text),
                Type::BYTEA => row.get::<_, Option<Vec<u8>>>(n).map(Sql::Blob),
                _ => panic!("nobody reads {of}"),
            };
            let cells = |row: tokio_postgres::Row| {
                let columns = row.columns().iter().enumerate();
                let cell = |(n, column): (usize, &tokio_postgres::Column)| {
                    (column.name().to_owned(), value(&row, n, column.type_()).unwrap_or(Sql::Null))
                };
                columns.map(cell).collect()
            };
            rows.into_iter().map(cells).collect()
        })
    }

    /// The rows of a query as lines, a value that is NULL as `NULL`.
    pub(crate) fn lines(&self, sql: &str) -> Vec<String> {
        let line = |row: Vec<Option<String>>| {
            let values: Vec<String> =
                row.into_iter().map(|value| value.unwrap_or("NULL".to_owned())).collect();
            values.join("|")
        };
        self.rows(sql).into_iter().map(line).collect()
    }
}

/// A pool over a configuration.
pub(crate) fn pool(config: Config) -> Pool {
    let manager =
        Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
    Pool::builder(manager).max_size(4).build().unwrap()
}

#[test]
fn the_server_answers() {
    let database = Database::with("CREATE TABLE t (x int); INSERT INTO t VALUES (1), (NULL)");
    assert_eq!(database.lines("SELECT x FROM t ORDER BY x"), ["1", "NULL"]);
}
