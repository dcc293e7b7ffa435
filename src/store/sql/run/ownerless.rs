//! Ownerless records: found by links that lead nowhere, and treated in parts of bounded size.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Frame;
use super::erase::Work;
use super::page::Part as KeyPart;
use super::rounds::Readings;
use crate::data_map::{ClassName, TimeZone, Value};
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::script::{ClassScript, Part, Script};
use crate::store::sql::session::{Purpose, Session};
use crate::store::{Cursor, OwnerlessErased, OwnerlessRequest, StoreError, Tally};
use crate::treatment::RecordAction;

/// The maximum number of rows that one transaction treats.
const MOST_AT_ONCE: usize = 10_000;

/// The place that the parts have reached: a class, and the key of its last record.
pub(super) struct Place {
    pub(super) class: ClassName,
    pub(super) key: Vec<Value>,
}

impl Place {
    pub(super) fn cursor(&self) -> Result<Cursor, Fault> {
        let key: Option<Vec<KeyPart>> = self.key.iter().map(KeyPart::of_value).collect();
        let failed = |error: serde_json::Error| Fault::Other(format!("the place cannot be written: {error}"));
        Ok(Cursor::new(serde_json::to_string(&(&self.class, key)).map_err(failed)?))
    }

    pub(super) fn read(cursor: &Cursor) -> Result<Self, Fault> {
        let read: Option<(ClassName, Vec<KeyPart>)> = serde_json::from_str(cursor.as_str()).ok();
        let place = read.and_then(|(class, key)| {
            let key: Option<Vec<Value>> = key.iter().map(KeyPart::value).collect();
            Some(Self { class, key: key? })
        });
        place.ok_or_else(|| {
            Fault::Other("the cursor is not of this store; begin with the first part".to_owned())
        })
    }
}

impl Frame {
    /// The statements for the classes that the request names. Classes that it does not name may belong to another
    /// store.
    pub(crate) fn ownerless(&self, request: &OwnerlessRequest) -> Result<Arc<Nobodys>, StoreError> {
        let bound = &self.bound;
        let acts = |class: &ClassName| {
            let treated = request.treatment.class(class.as_str());
            !treated.is_none_or(|treated| matches!(treated.action(), RecordAction::Keep { .. }))
        };
        let stranger =
            request.treatment.classes().keys().find(|class| acts(class) && bound.class(class).is_none());
        if let Some(class) = stranger {
            return Err(StoreError::Treatment { what: format!("there is no class {class}") });
        }
        let script = Script::of_sets(bound, &request.treatment);
        let parts = script
            .classes
            .iter()
            .filter_map(|class| {
                let which = request.classes.get(&class.class)?;
                Some((class.clone(), Script::ownerless(bound, &request.treatment, &class.class, *which)?))
            })
            .collect();
        Ok(Arc::new(Nobodys { script: Arc::new(script), parts, time_zone: request.treatment.time_zone }))
    }
}

/// The statements for ownerless records.
#[derive(Debug)]
pub(crate) struct Nobodys {
    pub(crate) script: Arc<Script>,
    parts: Vec<(ClassScript, Part)>,
    /// The zone in which the policy counts days.
    time_zone: TimeZone,
}

/// The result of selecting a part.
struct Touched<'n> {
    rows: u64,
    /// The key of the last row.
    last: Vec<Value>,
    readings: Readings<'n>,
}

impl Frame {
    /// Selects the next rows of a class, after a key. `None` if there are no more rows.
    fn touch_part<'n>(
        &self,
        session: &mut dyn Session,
        nobodys: &'n Nobodys,
        part: &Part,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<Option<Touched<'n>>, Trouble> {
        self.forget(session, &nobodys.script.finding)?;
        let sql = if after.is_some() { &part.after } else { &part.first };
        let limit = Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX));
        let values: Vec<Value> = std::iter::once(limit).chain(after.into_iter().flatten().cloned()).collect();
        let rows = session.execute(sql, &values)?;
        if rows == 0 {
            return Ok(None);
        }
        let last = session.one(&part.last, &[], |row| {
            (0..part.key).map(|n| Ok(row.cell(n)?.to_value())).collect::<Result<Vec<Value>, Fault>>()
        })?;
        let readings =
            self.find_around(session, &nobodys.script.finding, part.number, nobodys.script.ends())?;
        Ok(Some(Touched { rows, last, readings }))
    }

    /// Treats the selected rows by the action of their class. Returns the number of rows that were deleted or
    /// written.
    fn treat_part(
        &self,
        session: &mut dyn Session,
        class: &ClassScript,
        readings: &mut Readings<'_>,
    ) -> Result<u64, Trouble> {
        let at = Trouble::at(&class.class);
        let rows = Self::number(session, &class.distinct).map_err(at)?;
        if rows > 0 {
            let shrunk = self.treat(session, &[(class, rows)], readings, None)?;
            self.triggers_changed_nothing(session, &shrunk)?;
        }
        Ok(rows)
    }

    /// Treats the next part, in its own transaction. If it is refused, it is tried in halves, down to the single row
    /// that is the cause. This row is skipped.
    pub(crate) fn erase_ownerless(
        &self,
        session: &mut dyn Session,
        nobodys: &Nobodys,
        work: &Work,
        after: Option<&Cursor>,
    ) -> Result<OwnerlessErased, Trouble> {
        let parts = &nobodys.parts;
        let place = after.map(Place::read).transpose()?;
        let at =
            place.as_ref().and_then(|place| parts.iter().position(|(class, _)| class.class == place.class));
        let mut after = place.map(|place| place.key);
        let mut limit = MOST_AT_ONCE;
        let mut rest = parts.iter().skip(at.unwrap_or(0));
        let mut next = rest.next();
        while let Some((class, part)) = next {
            if !class.is_treated() {
                (next, after) = (rest.next(), None);
                continue;
            }
            let mut transaction = session.transaction(Purpose::Erase)?;
            self.same_schema(&mut *transaction)?;
            self.work(&nobodys.script, Some(work.seed.clone()), work.treatment.day(work.at), 0);
            let touched = self.touch_part(&mut *transaction, nobodys, part, after.as_deref(), limit)?;
            let Some(mut touched) = touched else {
                (next, after) = (rest.next(), None);
                continue;
            };
            let done = self.treat_part(&mut *transaction, class, &mut touched.readings);
            let done = done.and_then(|done| {
                transaction.commit().map_err(Trouble::at(&class.class))?;
                Ok(done)
            });
            let mut erased = OwnerlessErased::default();
            match done {
                Ok(done) => drop(erased.counts.classes.insert(class.class.clone(), done)),
                Err(Trouble { fault: Fault::Constraint(_) | Fault::Other(_), .. }) if touched.rows > 1 => {
                    limit = usize::try_from(touched.rows / 2).unwrap_or(MOST_AT_ONCE);
                    continue;
                }
                Err(trouble @ Trouble { fault: Fault::Constraint(_) | Fault::Other(_), .. }) => {
                    let error = trouble.into_error("erasing records without an owner", &self.bound);
                    erased.refused.insert(error.to_string(), 1);
                }
                Err(trouble) => return Err(trouble),
            }
            erased.next = Some(Place { class: class.class.clone(), key: touched.last }.cursor()?);
            return Ok(erased);
        }
        Ok(OwnerlessErased::default())
    }

    pub(crate) fn count_ownerless(
        &self,
        session: &mut dyn Session,
        nobodys: &Nobodys,
        at: DateTime<Utc>,
    ) -> Result<Tally, Trouble> {
        let mut transaction = session.transaction(Purpose::Read)?;
        self.same_schema(&mut *transaction)?;
        self.work(&nobodys.script, None, nobodys.time_zone.day(at), 0);
        let mut all = Tally::default();
        for (class, part) in &nobodys.parts {
            self.forget(&mut *transaction, &nobodys.script.finding)?;
            transaction.execute(&part.all, &[])?;
            let counts = nobodys.script.counts();
            let mut readings =
                self.find_around(&mut *transaction, &nobodys.script.finding, part.number, counts)?;
            let only = std::slice::from_ref(class);
            let tally = self.count_by(&mut *transaction, only, 1, &mut readings)?.pop().unwrap_or_default();
            all.classes.extend(tally.classes);
            all.kept.extend(tally.kept);
            all.tombstones.extend(tally.tombstones);
        }
        transaction.commit()?;
        Ok(all)
    }
}
