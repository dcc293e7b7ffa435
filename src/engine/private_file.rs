//! A file with personal data: only its owner may read it, and it never overwrites another file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A new file for a review, an approval or an export. It may contain personal data, so only its owner may read it.
///
/// The file appears under its name when it is [finished](Self::finish), and not before. A file of this name is never
/// overwritten. If the process dies on the way, a file with the ending `.part` is left.
#[derive(Debug)]
pub struct PrivateFile {
    file: BufWriter<File>,
    aside: PathBuf,
    path: PathBuf,
}

impl PrivateFile {
    /// Begins a new file.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if there is a file of this name. Also an error if there is no folder, or no
    /// right to write there.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        static FILES: AtomicU64 = AtomicU64::new(0);
        let path = path.as_ref().to_owned();
        if fs::symlink_metadata(&path).is_ok() {
            return Err(already_there());
        }
        let mut aside = path.clone().into_os_string();
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        aside.push(format!(".{}-{number}.part", std::process::id()));
        let aside = PathBuf::from(aside);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        owner_only(&mut options);
        Ok(Self { file: BufWriter::new(options.open(&aside)?), aside, path })
    }

    /// Copies everything that was written so far into another writer. For a file that is never finished.
    ///
    /// # Errors
    /// What the file system says.
    #[cfg(feature = "export")]
    pub(crate) fn copy_into(&mut self, into: &mut impl Write) -> io::Result<u64> {
        self.file.flush()?;
        let file = self.file.get_mut();
        file.rewind()?;
        io::copy(file, into)
    }

    /// Ends the file and gives it its name.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if a file of this name was made in the meantime. That file stays as it is.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        // A hard link fails if the name is taken. A rename would overwrite the other file.
        fs::hard_link(&self.aside, &self.path)
    }
}

impl Write for PrivateFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for PrivateFile {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        self.file.seek(place)
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.aside) {
            tracing::warn!(%error, "an unfinished file could not be removed");
        }
    }
}

fn already_there() -> io::Error {
    io::Error::new(
        io::ErrorKind::AlreadyExists,
        "there is a file of this name; name another one, or move it away",
    )
}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

#[cfg(not(unix))]
fn owner_only(_: &mut OpenOptions) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_the_owners_alone_and_overwrites_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("review.csv");
        let mut file = PrivateFile::create(&path).unwrap();
        file.write_all(b"a;b\n").unwrap();
        let other = PrivateFile::create(&path).unwrap();
        assert!(!path.exists(), "it appears when it is finished");
        file.finish().unwrap();
        assert_eq!(other.finish().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(PrivateFile::create(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a;b\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        drop(PrivateFile::create(folder.path().join("dropped.csv")).unwrap());
        assert_eq!(names(folder.path()), ["review.csv"], "nothing else is left");
    }
}
