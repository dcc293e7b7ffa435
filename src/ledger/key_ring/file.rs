//! Keys in a file.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use zeroize::{Zeroize, Zeroizing};

use crate::hex;

use super::{KeyRing, KeyRingError, Mac, MacRequest, MemoryKeyRing, TokenKey};

/// Keys in a file next to the ledger, one per line: epoch and key. Only the owner of the file may read it.
///
/// [`create`](Self::create) makes the file once, for a new ledger. [`open`](Self::open) never makes a file. If the
/// file is lost, restore it from its backup. With a new key, customers who were erased before cannot be recognised.
/// If the ledger was written with another key, the engine reports this and does nothing.
///
/// Back the file up separately from the ledger. Anybody who has both can find out whether a customer with a known id
/// was erased.
///
/// ```
/// use relinquish::{FileKeyRing, SqliteLedger};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("ledger.sqlite");
/// // Make the keys first: a ledger always needs its keys.
/// let keys = if path.exists() { FileKeyRing::open_beside(&path)? } else { FileKeyRing::create_beside(&path)? };
/// let ledger = SqliteLedger::open(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FileKeyRing {
    keys: MemoryKeyRing,
}

impl FileKeyRing {
    /// The key file next to a ledger: its path with `.keys` at the end.
    pub fn path_beside(ledger: impl AsRef<Path>) -> PathBuf {
        let mut path = ledger.as_ref().as_os_str().to_owned();
        path.push(".keys");
        PathBuf::from(path)
    }

    /// Opens the file [next to a ledger](Self::path_beside).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_beside(ledger: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        Self::open(Self::path_beside(ledger))
    }

    /// Makes the file [next to a ledger](Self::path_beside), for a new ledger.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_beside(ledger: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        Self::create(Self::path_beside(ledger))
    }

    /// Makes a key file with a new random key.
    ///
    /// # Errors
    /// [`KeyRingError::Exists`] if the file exists. Also errors if there is no folder, no right to write, or no
    /// randomness. After an error no file is left.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        let path = path.as_ref();
        write_new(path)?;
        Self::open(path)
    }

    /// Opens an existing key file.
    ///
    /// # Errors
    /// [`KeyRingError::Missing`] if there is no file. Also errors if the file cannot be read, if others may read it,
    /// or if it is empty or incomplete.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        let path = path.as_ref();
        let shown = || path.display().to_string();
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => KeyRingError::Missing { path: shown() },
            _ => KeyRingError::Io { doing: "read", path: shown(), source },
        };
        let mut file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if is_open_to_others(&metadata) {
            return Err(KeyRingError::Permissions { path: shown() });
        }
        // The buffer has room for the whole file. If the buffer had to grow, a copy of the keys would stay in memory.
        let room = usize::try_from(metadata.len()).unwrap_or(0).saturating_add(1);
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        file.read_to_end(&mut bytes).map_err(io)?;
        let mut keys = BTreeMap::new();
        // A last line without a line break was either cut off or written by hand. The number of digits shows which.
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        if text.is_empty() {
            return Err(KeyRingError::Empty);
        }
        for (n, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let malformed = || KeyRingError::Malformed { path: shown(), line: n + 1 };
            let (epoch, key) = read_key(line).ok_or_else(malformed)?;
            if keys.insert(epoch, Arc::new(key)).is_some() {
                return Err(malformed());
            }
        }
        Ok(Self { keys: MemoryKeyRing::of(keys) })
    }
}

/// Reads a line such as `1 00ff…`.
fn read_key(line: &[u8]) -> Option<(u32, TokenKey)> {
    let line = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok()?;
    let (epoch, digits) = line.split_once(' ')?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    let key = TokenKey::new(bytes);
    bytes.zeroize();
    Some((epoch.parse().ok()?, key))
}

#[async_trait]
impl KeyRing for FileKeyRing {
    async fn epochs(&self) -> Result<Vec<u32>, KeyRingError> {
        self.keys.epochs().await
    }

    async fn macs(&self, request: &MacRequest) -> Result<Vec<Mac>, KeyRingError> {
        self.keys.macs(request).await
    }
}

/// Makes the file with a new key, completely or not at all. The file is first written under another name and then
/// linked to its own name. The link fails if the name is taken.
fn write_new(path: &Path) -> Result<(), KeyRingError> {
    let shown = || path.display().to_string();
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyRingError::Exists { path: shown() },
        _ => KeyRingError::Io { doing: "made", path: shown(), source },
    };
    let mut random = Zeroizing::new([0; 40]);
    getrandom::fill(&mut *random).map_err(|_| KeyRingError::Entropy)?;
    let (key, name) = random.split_at(32);
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".new-{}", hex::encode(name)));
    let aside = PathBuf::from(aside);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    owner_only(&mut options);
    let written = options.open(&aside).and_then(|mut file| {
        let mut digits = Zeroizing::new([0; 64]);
        hex::encode_to_slice(key, &mut *digits).map_err(io::Error::other)?;
        file.write_all(b"1 ")?;
        file.write_all(&*digits)?;
        file.write_all(b"\n")?;
        file.sync_all()
    });
    let linked = written.and_then(|()| fs::hard_link(&aside, path));
    let removed = match fs::remove_file(&aside) {
        // The file was not made, so there is nothing to remove.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    };
    linked.and_then(|()| sync_folder(path)).map_err(io)?;
    removed.map_err(io)
}

/// Makes the file name durable. It must survive a crash, because the entries written with the key survive it, too.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
pub(crate) fn owner_only(options: &mut OpenOptions) {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

#[cfg(not(unix))]
pub(crate) fn owner_only(_: &mut OpenOptions) {}

#[cfg(unix)]
pub(crate) fn is_open_to_others(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
pub(crate) fn is_open_to_others(_: &fs::Metadata) -> bool {
    false
}
