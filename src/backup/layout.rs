//! Describes the names of backup copies: which names are copies, how old each copy is, and which files belong
//! together.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use super::{BackupCopy, BackupError, CopyName, Schedule};

/// A layout: which names in a place are copies, when each copy was taken, and which files belong to it.
///
/// A name is a path below the place, with `/` between its parts. A pattern that ends in `/` means a whole folder, for
/// example of `pg_dump` or `pg_basebackup`. In globs, `*` matches any characters except `/`, and `?` matches one
/// character.
///
/// Times in names are UTC, unless the pattern has an offset (`%z`).
///
/// ```
/// use chrono::TimeDelta;
/// use relinquish::backup::Layout;
///
/// // A dump each night, with its checksum.
/// let dumps = Layout::dated("crm-%Y-%m-%d.sqlite")?.beside(".sha256");
/// // Base backups, and the write-ahead logs since each of them.
/// let archive = Layout::dated("base/%Y-%m-%dT%H%M%S/")?.following("wal/*", TimeDelta::minutes(10)).leaves("wal/*.history");
/// // Rotated logs: app.log.1, app.log.2 … Their names change, so the time stamp of the file says when each log ended.
/// let logs = Layout::by_file_time("app.log.*", TimeDelta::days(1)).leaves("app.log");
/// # Ok::<(), relinquish::backup::BackupError>(())
/// ```
///
/// A name that matches no pattern is an error, because it may be a copy of unknown age. It is never removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    copies: Copies,
    companions: Vec<String>,
    beside: Vec<String>,
    /// Globs, each with the longest time that one file covers.
    following: Vec<(String, TimeDelta)>,
    left: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Copies {
    Dated(String),
    FileTime { glob: String, takes: TimeDelta },
}

/// A file, object or folder in the place. The path of a folder that is a copy ends in `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) modified: DateTime<Utc>,
}

/// A copy, and the paths that belong to it, in the order of removal. The copy itself is removed last, so that an
/// interrupted removal still leaves a recognisable copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) copy: BackupCopy,
    pub(crate) paths: Vec<String>,
}

/// The earliest and the latest time at which a copy may have been taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Taken {
    begun_at: DateTime<Utc>,
    taken_at: DateTime<Utc>,
}

impl Layout {
    /// Copies whose names contain the day or the instant. The pattern is a `strftime` format: `crm-%Y-%m-%d.sqlite`,
    /// `base/%Y-%m-%dT%H%M%S/`. A copy with only the day in its name may have been taken at any time of this day.
    ///
    /// The age comes from the name, not from the time stamp of the file, because moving a backup to another disk
    /// changes the time stamp.
    ///
    /// # Errors
    /// [`BackupError::Pattern`] if the pattern does not contain the day.
    pub fn dated(pattern: impl Into<String>) -> Result<Self, BackupError> {
        let pattern = tells_the_day(pattern.into())?;
        Ok(Self::of(Copies::Dated(pattern)))
    }

    /// Copies whose names contain no time. The time stamp of the file says when the copy was finished. `takes` is the
    /// longest time that it takes to make a copy: a copy that is finished after an erasure may have been begun before
    /// it. For a log that is rotated each night, `takes` is a day.
    pub fn by_file_time(glob: impl Into<String>, takes: TimeDelta) -> Self {
        Self::of(Copies::FileTime { glob: glob.into(), takes: takes.max(TimeDelta::zero()) })
    }

    fn of(copies: Copies) -> Self {
        Self { copies, companions: Vec::new(), beside: Vec::new(), following: Vec::new(), left: Vec::new() }
    }

    /// Adds files that belong to the copy with the same date in its name: `crm-%Y-%m-%d.manifest`.
    ///
    /// # Errors
    /// [`BackupError::Pattern`] if the pattern does not contain the day.
    pub fn companion(mut self, pattern: impl Into<String>) -> Result<Self, BackupError> {
        self.companions.push(tells_the_day(pattern.into())?);
        Ok(self)
    }

    /// Adds files whose name is the name of a copy with this suffix: `.sha256`, `-wal`.
    #[must_use]
    pub fn beside(mut self, suffix: impl Into<String>) -> Self {
        self.beside.push(suffix.into());
        self
    }

    /// Adds files that belong to the last copy begun before the time stamp of the file. An example are the
    /// write-ahead logs after a base backup. They are removed with that copy. Files from before the first copy count
    /// as separate copies.
    ///
    /// `covers` is the longest time that one file covers, such as `archive_timeout` of PostgreSQL. The first log
    /// after a base backup may contain data that were erased before that backup was begun.
    #[must_use]
    pub fn following(mut self, glob: impl Into<String>, covers: TimeDelta) -> Self {
        self.following.push((glob.into(), covers.max(TimeDelta::zero())));
        self
    }

    /// The rule, with the time that copies of this layout cover. If the host has declared a longer time, that time is
    /// kept.
    pub(crate) fn schedule(&self, rule: Schedule) -> Schedule {
        let covers = rule.covers.max(self.covers());
        rule.covering(covers)
    }

    /// The longest period from which one copy may contain data.
    fn covers(&self) -> Duration {
        let copy = match &self.copies {
            Copies::FileTime { takes, .. } => *takes,
            Copies::Dated(pattern) if tells_the_instant(pattern) => TimeDelta::zero(),
            Copies::Dated(_) => TimeDelta::days(1),
        };
        let longest = self.following.iter().map(|(_, covers)| *covers).fold(copy, TimeDelta::max);
        longest.to_std().unwrap_or_default()
    }

    /// Adds files that are no copies and are never removed, such as the log that is being written.
    #[must_use]
    pub fn leaves(mut self, glob: impl Into<String>) -> Self {
        self.left.push(glob.into());
        self
    }

    /// The patterns, for errors and plans.
    pub(crate) fn describe(&self) -> String {
        let copies = match &self.copies {
            Copies::Dated(pattern) => pattern,
            Copies::FileTime { glob, .. } => glob,
        };
        let beside = self.beside.iter().map(|suffix| format!("…{suffix}"));
        let all = std::iter::once(copies).chain(&self.companions).cloned();
        let all: Vec<String> = all
            .chain(beside)
            .chain(self.following.iter().map(|(glob, _)| glob.clone()))
            .chain(self.left.iter().cloned())
            .collect();
        all.join(", ")
    }

    /// Whether a whole folder is a copy. The path ends in `/`.
    pub(crate) fn is_copy_folder(&self, path: &str) -> bool {
        let is_it = |pattern: &String| pattern.ends_with('/') && taken(pattern, path).is_some();
        let is_copy = match &self.copies {
            Copies::Dated(pattern) => is_it(pattern),
            Copies::FileTime { glob, .. } => glob.ends_with('/') && matches(glob, path),
        };
        is_copy || self.companions.iter().any(is_it)
    }

    /// Whether a folder may contain copies. The path ends in `/`.
    pub(crate) fn descends(&self, path: &str) -> bool {
        let depth = path.matches('/').count();
        let copies = match &self.copies {
            Copies::Dated(pattern) => pattern,
            Copies::FileTime { glob, .. } => glob,
        };
        let following = self.following.iter().map(|(glob, _)| glob);
        let all = [copies].into_iter().chain(&self.companions).chain(following).chain(&self.left);
        let mut folders = all.filter_map(|pattern| {
            let end = pattern.match_indices('/').nth(depth - 1)?.0 + 1;
            (end < pattern.len()).then(|| pattern.get(..end)).flatten()
        });
        folders.any(|folder| folder == path || matches(folder, path) || taken_or_part(folder, path))
    }

    /// Whether a path can be the name of a copy.
    pub(crate) fn is_name(&self, path: &str) -> bool {
        let stays_inside = path.split('/').all(|part| part != ".." && part != ".") && !path.starts_with('/');
        let copies = match &self.copies {
            Copies::Dated(pattern) => taken(pattern, path).is_some(),
            Copies::FileTime { glob, .. } => matches(glob, path),
        };
        stays_inside
            && !path.contains('\\')
            && (copies || self.following.iter().any(|(glob, _)| glob == path))
    }

    /// Finds a copy among the present sets. `None` if it is gone.
    ///
    /// # Errors
    /// A name that is no copy. Also a copy that was replaced by an older or a younger copy with the same name.
    pub(crate) fn pick<'s>(
        &self,
        sets: &'s [Set],
        copy: &BackupCopy,
        place: &str,
    ) -> Result<Option<&'s Set>, BackupError> {
        let (name, place) = (copy.name.to_string(), place.to_owned());
        if !self.is_name(copy.name.as_str()) {
            return Err(BackupError::Unrecognised { name, place, pattern: self.describe() });
        }
        match sets.iter().find(|set| set.copy.name == copy.name) {
            Some(set) if set.copy != *copy => Err(BackupError::Changed { name, place }),
            found => Ok(found),
        }
    }

    /// Groups the found files into copies, the oldest first.
    pub(crate) fn sets(&self, found: &[Found], place: &str) -> Result<Vec<Set>, BackupError> {
        let mut copies = BTreeMap::<CopyName, (Taken, Vec<String>)>::new();
        let mut rest = Vec::new();
        for one in found.iter().filter(|one| !self.left.iter().any(|glob| matches(glob, &one.path))) {
            match self.taken(one) {
                Some(taken) => {
                    copies.insert(CopyName::new(one.path.clone()), (taken, vec![one.path.clone()]));
                }
                None => rest.push(one),
            }
        }
        let mut lonely = BTreeMap::<CopyName, (Taken, Vec<String>)>::new();
        let mut followers = Vec::new();
        for one in rest {
            if let Some((owner, taken)) = self.owner(one) {
                // A file whose copy is gone counts as a copy of the same age.
                let of = if copies.contains_key(&owner) { &mut copies } else { &mut lonely };
                of.entry(owner).or_insert_with(|| (taken, Vec::new())).1.push(one.path.clone());
            } else if let Some((_, covers)) = self.following.iter().find(|(glob, _)| matches(glob, &one.path))
            {
                followers.push((*covers, one));
            } else {
                return Err(BackupError::Unrecognised {
                    name: one.path.clone(),
                    place: place.to_owned(),
                    pattern: self.describe(),
                });
            }
        }
        let before: Vec<(Taken, CopyName)> = {
            let mut all: Vec<_> = copies.iter().map(|(name, (taken, _))| (*taken, name.clone())).collect();
            all.sort();
            all
        };
        for (covers, one) in followers {
            let at = before.partition_point(|(taken, _)| taken.begun_at <= one.modified);
            let owner = at.checked_sub(1).and_then(|at| before.get(at));
            let begun_at = one.modified.checked_sub_signed(covers).unwrap_or(DateTime::<Utc>::MIN_UTC);
            let time = Taken { begun_at, taken_at: one.modified };
            let (of, owner) = match owner {
                Some((_, owner)) => (&mut copies, owner.clone()),
                // No copy needs a log from before the first copy. Such a log ages alone.
                None => (&mut lonely, CopyName::new(one.path.clone())),
            };
            let (taken, paths) = of.entry(owner).or_insert_with(|| (time, Vec::new()));
            // The first log may contain data that were written before its copy was begun.
            taken.begun_at = taken.begun_at.min(time.begun_at);
            paths.push(one.path.clone());
        }
        let mut sets: Vec<Set> = copies
            .into_iter()
            .chain(lonely)
            .map(|(name, (taken, mut paths))| {
                paths.sort_by_key(|path| (*path == name.as_str(), path.clone()));
                Set { copy: BackupCopy { taken_at: taken.taken_at, begun_at: taken.begun_at, name }, paths }
            })
            .collect();
        sets.sort_by(|one, other| one.copy.cmp(&other.copy));
        Ok(sets)
    }

    fn taken(&self, one: &Found) -> Option<Taken> {
        match &self.copies {
            Copies::Dated(pattern) => taken(pattern, &one.path),
            Copies::FileTime { glob, takes } => {
                // `app.log.1.sha256` belongs to `app.log.1`, although its name also matches the pattern of a copy.
                let is_beside = self.beside.iter().any(|suffix| {
                    one.path.strip_suffix(suffix.as_str()).is_some_and(|copy| matches(glob, copy))
                });
                let begun_at = one.modified.checked_sub_signed(*takes).unwrap_or(DateTime::<Utc>::MIN_UTC);
                (matches(glob, &one.path) && !is_beside).then_some(Taken { begun_at, taken_at: one.modified })
            }
        }
    }

    /// The copy to which a file belongs, by its name.
    fn owner(&self, one: &Found) -> Option<(CopyName, Taken)> {
        let beside = self.beside.iter().find_map(|suffix| {
            // A folder's name ends in `/`. The name of a file beside it does not.
            let stem = one.path.strip_suffix(suffix.as_str())?;
            let names = [stem.to_owned(), format!("{stem}/")];
            names.into_iter().find_map(|name| {
                let copy = Found { path: name, modified: one.modified };
                self.taken(&copy).map(|taken| (CopyName::new(copy.path), taken))
            })
        });
        let companion = || {
            let Copies::Dated(pattern) = &self.copies else { return None };
            let taken = self.companions.iter().find_map(|companion| taken(companion, &one.path))?;
            Some((CopyName::new(taken.begun_at.format(pattern).to_string()), taken))
        };
        beside.or_else(companion)
    }
}

/// Checks that the day can be read from the names of a pattern.
fn tells_the_day(pattern: String) -> Result<String, BackupError> {
    let day = NaiveDate::from_ymd_opt(2019, 11, 23);
    let items = StrftimeItems::new(&pattern);
    let is_spelled = !items.clone().any(|item| matches!(item, Item::Error));
    let midnight = day.map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let name = midnight.filter(|_| is_spelled).map(|midnight| midnight.format_with_items(items).to_string());
    // In this test date, month and day differ, so that swapped or missing parts are noticed.
    let is_told =
        name.and_then(|name| taken(&pattern, &name)).map(|taken| taken.begun_at.date_naive()) == day;
    if is_told { Ok(pattern) } else { Err(BackupError::Pattern { pattern }) }
}

/// Whether the names of a pattern contain the instant, and not only the day.
fn tells_the_instant(pattern: &str) -> bool {
    let instant = NaiveDate::from_ymd_opt(2019, 11, 23).and_then(|day| day.and_hms_opt(13, 14, 15));
    let name = instant.map(|instant| instant.and_utc().format(pattern).to_string());
    name.and_then(|name| taken(pattern, &name)).is_some_and(|taken| taken.begun_at == taken.taken_at)
}

/// The earliest and the latest time at which a copy with this name may have been taken. `None` if the name does not
/// match the pattern.
fn taken(pattern: &str, name: &str) -> Option<Taken> {
    let exactly = |at: DateTime<Utc>| Taken { begun_at: at, taken_at: at };
    // A name matches only if formatting the parsed time gives the same name again, because the parser also accepts
    // spaces and signs.
    if let Ok(at) = DateTime::parse_from_str(name, pattern) {
        return (at.format(pattern).to_string() == name).then(|| exactly(at.to_utc()));
    }
    if let Ok(at) = NaiveDateTime::parse_from_str(name, pattern) {
        return (at.format(pattern).to_string() == name).then(|| exactly(at.and_utc()));
    }
    let day = NaiveDate::parse_from_str(name, pattern).ok()?;
    let (first, last) = (day.and_time(NaiveTime::MIN), day.and_hms_opt(23, 59, 59)?);
    // A pattern with an hour but no minute counts as a pattern with only the day.
    let is_it = (0..24)
        .any(|hour| day.and_hms_opt(hour, 0, 0).is_some_and(|at| at.format(pattern).to_string() == name));
    is_it.then(|| Taken { begun_at: first.and_utc(), taken_at: last.and_utc() })
}

/// Whether a folder's path matches the beginning of a dated pattern: `2026/` matches `%Y/`.
fn taken_or_part(pattern: &str, path: &str) -> bool {
    if !pattern.contains('%') {
        return false;
    }
    let mut parts = pattern.split('/').zip(path.split('/'));
    parts.all(|(pattern, part)| {
        if !pattern.contains('%') {
            return pattern == part;
        }
        let mut parsed = chrono::format::Parsed::new();
        chrono::format::parse(&mut parsed, part, StrftimeItems::new(pattern)).is_ok()
    })
}

/// Whether a glob matches a path. `*` matches any characters except `/`, and `?` matches one character.
fn matches(glob: &str, path: &str) -> bool {
    let (glob, path): (Vec<char>, Vec<char>) = (glob.chars().collect(), path.chars().collect());
    // `reached[n]`: whether the part of the glob read so far matches the first `n` characters of the path.
    let mut reached = vec![false; path.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    for sign in glob {
        let mut next = vec![false; path.len() + 1];
        let mut is_open = false;
        for (n, here) in reached.iter().enumerate() {
            if sign == '*' {
                is_open = *here || (is_open && n.checked_sub(1).and_then(|n| path.get(n)) != Some(&'/'));
                if let Some(next) = next.get_mut(n) {
                    *next |= is_open;
                }
            } else if *here
                && path.get(n).is_some_and(|c| (sign == '?' && *c != '/') || sign == *c)
                && let Some(next) = next.get_mut(n + 1)
            {
                *next = true;
            }
        }
        reached = next;
    }
    reached.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn found(list: &[(&str, &str)]) -> Vec<Found> {
        list.iter().map(|(path, time)| Found { path: (*path).to_owned(), modified: at(time) }).collect()
    }

    fn names(layout: &Layout, list: &[(&str, &str)]) -> Vec<(String, Vec<String>)> {
        let sets = layout.sets(&found(list), "here").unwrap();
        sets.into_iter().map(|set| (set.copy.name.to_string(), set.paths)).collect()
    }

    #[test]
    fn a_glob_matches_within_one_folder() {
        for (glob, path, is_it) in [
            ("app.log.*", "app.log.1", true),
            ("app.log.*", "app.log", false),
            ("*", "a/b", false),
            ("wal/*", "wal/0001", true),
            ("wal/*.history", "wal/0001", false),
            ("wal/*.history", "wal/2.history", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("*a*b*", "xaybz", true),
            ("", "", true),
        ] {
            assert_eq!(matches(glob, path), is_it, "{glob} {path}");
        }
    }

    #[test]
    fn only_the_name_that_the_pattern_writes_is_a_copy() {
        let pattern = "crm-%Y-%m-%d.sqlite";
        assert!(taken(pattern, "crm-2026-03-01.sqlite").is_some());
        for name in [
            "crm- 2026-03-01.sqlite",
            "crm-+2026-03-01.sqlite",
            "crm-2026-3-1.sqlite",
            "crm-2026-02-30.sqlite",
            "crm-2026-03-01.sqlite.part",
        ] {
            assert!(taken(pattern, name).is_none(), "{name}");
        }
        let exact = taken("base/%Y-%m-%dT%H%M%S/", "base/2026-03-01T020000/").unwrap();
        assert_eq!(
            (exact.begun_at, exact.taken_at),
            (at("2026-03-01T02:00:00Z"), at("2026-03-01T02:00:00Z"))
        );
        let offset = taken("%Y-%m-%dT%H%M%S%z", "2026-03-01T020000+0100").unwrap();
        assert_eq!(offset.begun_at, at("2026-03-01T01:00:00Z"));
        let day = taken(pattern, "crm-2026-03-01.sqlite").unwrap();
        assert_eq!((day.begun_at, day.taken_at), (at("2026-03-01T00:00:00Z"), at("2026-03-01T23:59:59Z")));
    }

    #[test]
    fn what_belongs_together_goes_together_and_the_copy_itself_last() {
        let time = "2026-03-09T00:00:00Z";
        let layout = Layout::dated("crm-%Y-%m-%d.sqlite").unwrap().beside(".sha256").beside("-wal");
        let layout = layout.companion("crm-%Y-%m-%d.manifest").unwrap();
        let list = [
            ("crm-2026-03-01.sqlite", time),
            ("crm-2026-03-01.sqlite.sha256", time),
            ("crm-2026-03-01.sqlite-wal", time),
            ("crm-2026-03-01.manifest", time),
            // Its copy is gone, so this file counts as a copy of the same age.
            ("crm-2026-02-28.sqlite.sha256", time),
        ];
        let sets = names(&layout, &list);
        assert_eq!(
            sets[0],
            ("crm-2026-02-28.sqlite".to_owned(), vec!["crm-2026-02-28.sqlite.sha256".to_owned()])
        );
        assert_eq!(sets[1].0, "crm-2026-03-01.sqlite");
        assert_eq!(sets[1].1.last().unwrap(), "crm-2026-03-01.sqlite");
        assert_eq!(sets[1].1.len(), 4);
        let error = layout.sets(&found(&[("crm-2026-03-01.sqlite.md5", time)]), "here").unwrap_err();
        assert!(matches!(error, BackupError::Unrecognised { .. }), "{error}");
    }

    /// A base backup needs every log from its beginning on.
    #[test]
    fn logs_go_with_the_base_backup_before_them() {
        let layout = Layout::dated("base/%Y-%m-%dT%H%M%S/")
            .unwrap()
            .following("wal/*", TimeDelta::zero())
            .leaves("wal/*.history");
        let sets = names(
            &layout,
            &[
                ("base/2026-03-01T020000/", "2026-03-01T02:09:00Z"),
                ("base/2026-03-08T020000/", "2026-03-08T02:09:00Z"),
                ("wal/00", "2026-02-27T00:00:00Z"),
                ("wal/01", "2026-03-01T01:59:59Z"),
                ("wal/02", "2026-03-01T02:00:00Z"),
                ("wal/03", "2026-03-08T01:59:59Z"),
                ("wal/04", "2026-03-08T02:00:01Z"),
                ("wal/2.history", "2026-02-01T00:00:00Z"),
            ],
        );
        let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            sets,
            [
                // A log from before the first base backup ages alone. The bug: all such logs were as young as the newest one.
                ("wal/00".to_owned(), owned(&["wal/00"])),
                ("wal/01".to_owned(), owned(&["wal/01"])),
                (
                    "base/2026-03-01T020000/".to_owned(),
                    owned(&["wal/02", "wal/03", "base/2026-03-01T020000/"])
                ),
                ("base/2026-03-08T020000/".to_owned(), owned(&["wal/04", "base/2026-03-08T020000/"])),
            ]
        );
        // The name contains only the day, so all logs of that day belong to this copy.
        let by_day = Layout::dated("base/%Y-%m-%d/").unwrap().following("wal/*", TimeDelta::zero());
        let sets = names(
            &by_day,
            &[("base/2026-03-08/", "2026-03-08T02:09:00Z"), ("wal/03", "2026-03-08T00:00:01Z")],
        );
        assert_eq!(sets.len(), 1);
    }

    /// A former bug: a log that began before its base backup, and ended after the backup was begun, counted as too
    /// young.
    #[test]
    fn the_first_log_may_hold_what_was_erased_before_the_base_backup_was_begun() {
        let layout =
            Layout::dated("base/%Y-%m-%dT%H%M%S/").unwrap().following("wal/*", TimeDelta::minutes(10));
        let found = found(&[
            ("base/2026-03-01T020000/", "2026-03-01T02:09:00Z"),
            ("wal/02", "2026-03-01T02:00:00Z"),
            ("wal/03", "2026-03-01T02:10:00Z"),
        ]);
        let sets = layout.sets(&found, "here").unwrap();
        assert_eq!(sets.len(), 1);
        assert!(sets[0].copy.may_hold(at("2026-03-01T01:57:00Z")));
        assert!(!sets[0].copy.may_hold(at("2026-03-01T01:49:59Z")));
        assert_eq!(layout.covers(), Duration::from_secs(600));
        assert_eq!(Layout::dated("%Y-%m-%d").unwrap().covers(), Duration::from_secs(86_400));
    }

    #[test]
    fn a_rotated_log_is_as_old_as_its_file() {
        let layout =
            Layout::by_file_time("app.log.*", TimeDelta::days(1)).leaves("app.log").beside(".sha256");
        let sets = layout
            .sets(
                &found(&[
                    ("app.log", "2026-03-03T10:00:00Z"),
                    ("app.log.1", "2026-03-03T00:00:00Z"),
                    ("app.log.1.sha256", "2026-03-03T00:00:10Z"),
                    ("app.log.2", "2026-03-02T00:00:00Z"),
                ]),
                "here",
            )
            .unwrap();
        let copies: Vec<&str> = sets.iter().map(|set| set.copy.name.as_str()).collect();
        assert_eq!(copies, ["app.log.2", "app.log.1"]);
        assert_eq!(sets[1].copy.begun_at, at("2026-03-02T00:00:00Z"), "it was begun a day before");
        assert_eq!(sets[1].paths, ["app.log.1.sha256", "app.log.1"]);
    }

    #[test]
    fn a_name_never_leads_out_of_the_place() {
        let layout = Layout::by_file_time("*", TimeDelta::zero());
        for name in ["..", ".", "../x", "/etc", "a\\b"] {
            assert!(!layout.is_name(name), "{name}");
        }
        assert!(layout.is_name("x"));
    }
}
