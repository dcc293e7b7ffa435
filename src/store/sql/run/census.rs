//! Counts every mapped table, in one pass per table for all classes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::{DateTime, Datelike as _, Utc};

use super::Frame;
use super::facts::Seen;
use crate::anonymise::json::Pointer;
use crate::customer::TenantId;
use crate::data_map::{ClassName, Datatype, DateForm, FieldName, LinkRole, RecordClass, WhenGone};
use crate::store::sql::bind::{Bound, BoundClass};
use crate::store::sql::cell::Cell;
use crate::store::sql::dialect::{Computed, ReadAs};
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::links::Compare;
use crate::store::sql::map::{Ignored, SqlMap};
use crate::store::sql::session::{Purpose, Session};
use crate::store::sql::spelling::{columns, count_if, is_blank, listed, quoted};
use crate::store::sql::values::{
    document, has_another_shape, identifier, readable_part, readable_text, texts,
};
use crate::store::sql::way::BoundLink;
use crate::store::sql::whose::{Ways, leads, of_class, stand_in_sql};
use crate::store::{Census, CensusRequest, ClassCensus, Counted, TableCensus};

/// The number of values listed per column.
const VALUES: usize = 10;
/// The number of characters shown of a value.
const CHARS: usize = 60;

/// Whether a value cannot be searched, or cannot be used to find a person. An erasure that has to read such a value
/// stops. The erasure calls the same functions, so the census misses no reason.
pub(crate) fn is_unsearchable(value: Cell<'_>, read_as: ReadAs) -> bool {
    match read_as {
        ReadAs::Text => match (readable_text(value), value) {
            (Err(_), Cell::Text(bytes)) => readable_part(bytes).is_err(),
            (read, _) => read.is_err(),
        },
        ReadAs::Identifier => readable_text(value).is_err() || identifier(value).is_err(),
        ReadAs::Value => identifier(value).is_err(),
        ReadAs::Document => texts(value, &Pointer::whole()).is_err(),
    }
}

/// The forms of all date fields, in the order of their numbers in statements.
pub(crate) fn date_forms(bound: &Bound) -> Vec<DateForm> {
    dates(bound).into_iter().map(|date| date.form).collect()
}

/// What the map says of the shape of a class's documents in a column.
#[derive(Clone, Debug)]
pub(crate) struct DocumentShape {
    class: ClassName,
    column: String,
    /// The places with personal data.
    personal: Vec<Pointer>,
    all: Vec<Pointer>,
}

impl DocumentShape {
    /// Whether a document has another shape than the map says, so that an erasure that writes there stops.
    pub(crate) fn is_another(&self, value: Cell<'_>) -> bool {
        let Ok(Some(text)) = document(value) else { return false };
        self.personal.iter().any(|pointer| has_another_shape(text, pointer, &self.all))
    }
}

/// The shapes of all documents with personal data within, in the order of their numbers in statements. The rest of such a
/// document is not personal.
pub(crate) fn document_shapes(bound: &Bound) -> Vec<DocumentShape> {
    let mut shapes = Vec::new();
    for class in &bound.classes {
        let Some(described) = bound.data_map.class(class.name.as_str()) else { continue };
        let is_personal = |name: &str| described.find(name).is_some_and(|field| field.kind().is_some());
        let columns: BTreeSet<&String> = class.json.values().map(|json| &json.column).collect();
        for column in columns.into_iter().filter(|column| !is_personal(column)) {
            let within = || class.json.iter().filter(|(_, json)| json.column == *column);
            let personal = within().filter(|(name, _)| is_personal(name.as_str()));
            let personal: Vec<Pointer> = personal.map(|(_, json)| json.pointer.clone()).collect();
            let all = within().map(|(_, json)| json.pointer.clone()).collect();
            if !personal.is_empty() {
                shapes.push(DocumentShape {
                    class: class.name.clone(),
                    column: column.clone(),
                    personal,
                    all,
                });
            }
        }
    }
    shapes
}

/// A date field of a class's records, in its own column.
struct Dated {
    class: ClassName,
    field: FieldName,
    form: DateForm,
}

/// The date fields of all classes, in a fixed order.
fn dates(bound: &Bound) -> Vec<Dated> {
    let mut dates = Vec::new();
    for class in bound.classes.iter().filter(|class| !class.is_root) {
        let described = bound.data_map.class(class.name.as_str());
        let fields = described.into_iter().flat_map(RecordClass::fields);
        let own = fields.filter(|field| field.is_dated() && !class.json.contains_key(field.name()));
        dates.extend(own.map(|field| Dated {
            class: class.name.clone(),
            field: field.name().clone(),
            form: field.date_form().clone(),
        }));
    }
    dates
}

/// The condition that a class claims a row of the table `x`.
fn claims(bound: &Bound, class: &BoundClass) -> String {
    format!("coalesce((TRUE{}), FALSE)", of_class(bound, "x", &class.rows))
}

/// A class, and what one pass over its table counts for it.
struct Counts<'b> {
    class: &'b BoundClass,
    /// Personal columns that are read as text or as a document, each with its field.
    texts: Vec<(FieldName, String, ReadAs)>,
    /// Links to whose far end fields of the record belong.
    nobodys: Vec<String>,
    /// Whether to count separately which ownerless rows hang from ownerless records.
    may_hang: bool,
    circle: Option<Circle>,
}

impl Frame {
    pub(crate) fn census(
        &self,
        session: &mut dyn Session,
        request: &CensusRequest,
    ) -> Result<Census, Trouble> {
        let at = request.at;
        let mut transaction = session.transaction(Purpose::Read)?;
        self.same_schema(&mut *transaction)?;
        let mut names: Vec<&str> = self.bound.classes.iter().map(|class| class.table.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let mut tables = BTreeMap::new();
        for table in names {
            tables.insert(table.to_owned(), self.count_table(&mut *transaction, table, request)?);
        }
        let (customers, several_stand_ins) = self.unreadable_facts(&mut *transaction, at)?;
        let root = tables.values_mut().find_map(|table| table.classes.get_mut(self.bound.data_map.root()));
        if let Some(root) = root {
            root.unreadable.extend(customers);
            root.several_stand_ins = several_stand_ins;
        }
        transaction.commit()?;
        let (schema, data_map) = (self.watch.digest(), self.bound.data_map.digest());
        Ok(Census { at, schema, data_map, database: self.watch.database, tables })
    }

    /// The number of customers with an unreadable fact, by fact; and the number of tenants with several "Unknown
    /// Customers".
    fn unreadable_facts(
        &self,
        session: &mut dyn Session,
        at: DateTime<Utc>,
    ) -> Result<(BTreeMap<String, u64>, u64), Trouble> {
        let (mut counts, mut stand_ins) = (BTreeMap::new(), BTreeMap::<TenantId, u64>::new());
        let Some(root) = self.bound.root() else { return Ok((counts, 0)) };
        let table = quoted(&root.table);
        let sql = format!(
            "SELECT {} FROM {} AS {table} WHERE TRUE{}",
            self.facts.columns(),
            self.bound.table(&root.table),
            of_class(&self.bound, &table, &root.rows)
        );
        let mut seen = Seen::default();
        session.query(&sql, &[], &mut |row| {
            let customer = self.facts.read(row, 0, &mut seen)?;
            for fact in customer.unreadable_on(at.date_naive()) {
                *counts.entry(fact.into_owned()).or_default() += 1;
            }
            if customer.stand_in {
                *stand_ins.entry(customer.tenant).or_default() += 1;
            }
            Ok(())
        })?;
        let several = stand_ins.values().filter(|rows| **rows > 1).count();
        Ok((counts, u64::try_from(several).unwrap_or(u64::MAX)))
    }

    /// The condition that an erasure cannot read a value of the row `x`.
    fn cannot_be_read(
        &self,
        class: &BoundClass,
        column: &str,
        read_as: ReadAs,
        shapes: &[DocumentShape],
    ) -> String {
        let (dialect, value) = (self.bound.dialect, format!("x.{}", quoted(column)));
        let is_unsearchable = dialect.computed(&Computed::Unsearchable { value: &value, read_as });
        let shape = shapes.iter().position(|shape| shape.class == class.name && shape.column == column);
        match shape.filter(|_| read_as == ReadAs::Document) {
            Some(document) => {
                let is_misshapen = dialect.computed(&Computed::Misshapen { document, value: &value });
                format!("({is_unsearchable} OR {is_misshapen})")
            }
            None => is_unsearchable,
        }
    }

    fn count_table(
        &self,
        session: &mut dyn Session,
        table: &str,
        request: &CensusRequest,
    ) -> Result<TableCensus, Trouble> {
        let (dates, dialect) = (dates(&self.bound), self.bound.dialect);
        let shapes = document_shapes(&self.bound);
        let counts = |date: &Dated| {
            let named = request.dates.get(&date.class);
            !date.form.is_plain() || named.is_some_and(|fields| fields.contains(&date.field))
        };
        let day = request.at.date_naive().num_days_from_ce();
        let mut classes: Vec<Counts<'_>> = self
            .bound
            .classes
            .iter()
            .filter(|class| class.table == table)
            .map(|class| Counts {
                class,
                texts: self.personal_texts(class),
                nobodys: Vec::new(),
                may_hang: false,
                circle: None,
            })
            .collect();
        let is_claimed: Vec<String> =
            classes.iter().map(|counts| claims(&self.bound, counts.class)).collect();
        let is_unclaimed = format!("NOT ({})", is_claimed.join(" OR "));
        let mut columns = vec!["count(*)".to_owned(), count_if(&is_unclaimed)];
        for Counts { class, texts, nobodys, may_hang, circle } in &mut classes {
            let is_claimed = claims(&self.bound, class);
            let Nobodys { none, gone, by_itself, circle: may_circle } = self.nobodys(class);
            *may_hang = by_itself.is_some();
            columns.push(count_if(&is_claimed));
            for nobodys in [none, gone] {
                columns.push(count_if(&format!("{is_claimed} AND {nobodys}")));
                if let Some(by_itself) = &by_itself {
                    columns.push(count_if(&format!("{is_claimed} AND {nobodys} AND {by_itself}")));
                }
            }
            *circle = may_circle;
            columns.extend(
                circle.iter().map(|circle| count_if(&format!("{is_claimed} AND {}", circle.have_one))),
            );
            for (_, column, read_as) in texts {
                let is_unsearchable = self.cannot_be_read(class, column, *read_as, &shapes);
                columns.push(count_if(&format!("{is_claimed} AND {is_unsearchable}")));
            }
            for (n, date) in
                dates.iter().enumerate().filter(|(_, date)| date.class == class.name && counts(date))
            {
                let value = format!("x.{}", quoted(date.field.as_str()));
                let no_date = dialect.computed(&Computed::NoDate { field: n, value: &value, day });
                columns.push(count_if(&format!("{is_claimed} AND {no_date}")));
            }
            for (link, leads_nowhere) in self.nobodys_fields(class) {
                columns.push(count_if(&format!("{is_claimed} AND {leads_nowhere}")));
                nobodys.push(link);
            }
        }
        let sql = format!("SELECT {} FROM {} AS x", columns.join(", "), self.bound.table(table));
        let counted: Vec<u64> = session.one(&sql, &[], |row| {
            (0..columns.len()).map(|column| row.natural(column)).collect::<Result<_, Fault>>()
        })?;
        let mut counted = counted.into_iter();
        let mut next = || counted.next().unwrap_or_default();
        let map = &self.watch.map;
        let mut found = TableCensus { rows: next(), ..TableCensus::default() };
        found.unclaimed = Counted { rows: next(), hanging: 0, reason: ignored_rest(map, table) };
        for Counts { class, texts, nobodys, may_hang, circle } in &classes {
            let rows = next();
            let mut counted = |reason: &Option<String>| {
                let rows = next();
                let by_itself = if *may_hang { next() } else { rows };
                Counted { rows, hanging: rows.saturating_sub(by_itself), reason: reason.clone() }
            };
            let (nobody, mut gone) = (counted(&class.nobody.none), counted(&class.nobody.gone));
            if let Some(circle) = circle {
                circle.add_to(&mut gone, next(), Self::number(session, &circle.led)?);
            }
            let unsearchable: Vec<_> = texts.iter().map(|(field, ..)| (field.clone(), next())).collect();
            let own = dates.iter().filter(|date| date.class == class.name && counts(date));
            let unreadable: Vec<_> = own.map(|date| (date.field.to_string(), next())).collect();
            let of_links: Vec<_> = nobodys.iter().map(|link| (link.clone(), next())).collect();
            let class_found = ClassCensus {
                spelled_otherwise: BTreeMap::new(),
                several_stand_ins: 0,
                nobodys_fields: of_links.into_iter().filter(|(_, rows)| *rows > 0).collect(),
                rows,
                nobody,
                gone,
                unreadable: unreadable.into_iter().filter(|(_, rows)| *rows > 0).collect(),
                unsearchable: unsearchable.into_iter().filter(|(_, rows)| *rows > 0).collect(),
            };
            found.classes.insert(class.name.clone(), class_found);
        }
        self.count_spelled_otherwise(session, &classes, &mut found)?;
        if found.unclaimed.rows > 0 {
            for column in divides(map, table, classes.iter().map(|counts| counts.class)) {
                let values = values(&self.bound, session, table, &column, &is_unclaimed)?;
                found.by_value.insert(column, values);
            }
        }
        Ok(found)
    }

    /// Counts the records whose owner exists and is spelled in another way, in classes with records of nobody.
    fn count_spelled_otherwise(
        &self,
        session: &mut dyn Session,
        classes: &[Counts<'_>],
        found: &mut TableCensus,
    ) -> Result<(), Trouble> {
        for Counts { class, .. } in classes {
            let counted = found.classes.get_mut(&class.name);
            let of_nobody = counted.filter(|counted| counted.nobody.rows + counted.gone.rows > 0);
            let Some(counted) = of_nobody else { continue };
            for (link, sql) in self.spelled_otherwise(class) {
                let rows = Self::number(session, &sql)?;
                if rows > 0 {
                    counted.spelled_otherwise.insert(link, rows);
                }
            }
        }
        Ok(())
    }

    /// For each link to whose far end fields of a record belong: the condition that such a field of the row `x` is filled, and
    /// that the link leads nowhere.
    fn nobodys_fields(&self, class: &BoundClass) -> Vec<(String, String)> {
        let ways = Ways { bound: &self.bound };
        let mut list = Vec::new();
        // Whether a customer exists, a store beside the root store cannot tell. Values are not compared here: that would take every
        // record with every customer.
        let links = class.links.iter().filter(|link| self.bound.people.is_none() && !link.by_value);
        for link in links {
            let fields =
                class.of.iter().filter(|(field, of)| **of == link.name && !class.json.contains_key(*field));
            let filled: Vec<String> = fields
                .map(|(field, _)| {
                    let column = format!("x.{}", quoted(field.as_str()));
                    format!("NOT coalesce({}, TRUE)", is_blank(&self.bound.dialect.untyped(&column)))
                })
                .collect();
            if filled.is_empty() {
                continue;
            }
            // A later one of several owner links leads to a person, too.
            let link = BoundLink { unless: Vec::new(), ..link.clone() };
            let heads = link.heads.iter().filter_map(|name| self.bound.class(name));
            let nowhere = heads.fold(String::new(), |sql, head| {
                let found = ways.scalar(&link, class, head, ("x", "relinquish_end"), "max(1)");
                format!("{sql} AND {found} IS NULL")
            });
            list.push((link.name.clone(), format!("({}){nowhere}", filled.join(" OR "))));
        }
        list
    }

    /// Personal fields that an erasure may have to read, each with its column.
    fn personal_texts(&self, class: &BoundClass) -> Vec<(FieldName, String, ReadAs)> {
        let Some(described) = self.bound.data_map.class(class.name.as_str()) else { return Vec::new() };
        let mut seen = BTreeSet::new();
        described
            .fields()
            .iter()
            .filter_map(|field| {
                let kind = field.kind()?;
                // The rest of a document may be personal, too. Then the column itself is such a field.
                let within = class.json.get(field.name());
                let within =
                    within.or_else(|| class.json.values().find(|json| json.column == field.name().as_str()));
                if let Some(json) = within {
                    return Some((json.column.as_str().into(), json.column.clone(), ReadAs::Document));
                }
                // Only a text can be redacted. A person can be found by a value of any type except bytes.
                let takes_text = matches!(field.constraints().datatype, Datatype::Text | Datatype::Any);
                let identifies = kind.identifies() && field.constraints().datatype != Datatype::Blob;
                let read_as = match (field.is_json(), takes_text, identifies) {
                    (true, ..) => ReadAs::Document,
                    (false, true, true) => ReadAs::Identifier,
                    (false, true, false) => ReadAs::Text,
                    (false, false, true) => ReadAs::Value,
                    (false, false, false) => return None,
                };
                Some((field.name().clone(), field.name().to_string(), read_as))
            })
            .filter(|(_, column, _)| seen.insert(column.clone()))
            .collect()
    }

    /// For each owner link with a stricter comparison: the number of ownerless rows that would have an owner with
    /// normalised values.
    fn spelled_otherwise(&self, class: &BoundClass) -> Vec<(String, String)> {
        let normalised = |column: &str| self.bound.dialect.compared(Compare::Normalised, column);
        let is_stricter = |link: &&BoundLink| {
            link.role == LinkRole::Owner
                && link.by_value
                && link.compare != Compare::Normalised
                && link.hops.is_empty()
        };
        let Nobodys { none, gone, .. } = self.nobodys(class);
        let mut list = Vec::new();
        for link in class.links.iter().filter(is_stricter) {
            let ([near], [far]) = (link.columns.as_slice(), link.to_columns.as_slice()) else { continue };
            let heads = link.heads.iter().filter_map(|head| self.bound.class(head));
            let known: Vec<String> = heads
                .map(|head| {
                    format!(
                        "{} IN (SELECT {} FROM {} AS y WHERE y.{} IS NOT NULL{})",
                        normalised(&format!("x.{}", quoted(near))),
                        normalised(&format!("y.{}", quoted(far))),
                        self.bound.table(&head.table),
                        quoted(far),
                        of_class(&self.bound, "y", &head.rows)
                    )
                })
                .collect();
            if !known.is_empty() {
                let sql = format!(
                    "SELECT count(*) FROM {} AS x WHERE {} AND ({none} OR {gone}) AND ({})",
                    self.bound.table(&class.table),
                    claims(&self.bound, class),
                    known.join(" OR ")
                );
                list.push((link.name.clone(), sql));
            }
        }
        list
    }

    /// The conditions that a row has no owner, where the root store is elsewhere: it names nobody, or a record that is not
    /// there. Whether a customer exists, this database cannot tell.
    fn nobodys_beside(&self, class: &BoundClass, ways: &Ways<'_>) -> Nobodys {
        let owner = class.links.iter().find(|link| link.role == LinkRole::Owner);
        let Some(link) = owner.filter(|_| !class.is_root) else {
            return Nobodys {
                none: "FALSE".to_owned(),
                gone: "FALSE".to_owned(),
                by_itself: None,
                circle: None,
            };
        };
        let is_there = link.columns.iter().map(|column| format!(" AND x.{} IS NOT NULL", quoted(column)));
        let is_there = is_there.collect::<String>() + &leads(&self.bound, "x", link, true);
        let names = format!("coalesce((TRUE{is_there}), FALSE)");
        let heads = link.heads.iter().filter_map(|head| self.bound.class(head));
        let found: Vec<String> = heads
            .filter(|head| !head.is_root)
            .map(|head| ways.scalar(link, class, head, ("x", "relinquish_e"), "max(1)"))
            .collect();
        let gone = if found.is_empty() {
            "FALSE".to_owned()
        } else {
            format!("({names} AND coalesce({}, 0) = 0)", found.join(", "))
        };
        Nobodys { none: format!("(NOT {names})"), gone, by_itself: None, circle: None }
    }

    /// The conditions that a row has no owner.
    fn nobodys(&self, class: &BoundClass) -> Nobodys {
        let ways = Ways { bound: &self.bound };
        if self.bound.people.is_some() {
            return self.nobodys_beside(class, &ways);
        }
        if class.links.iter().any(|link| link.role == LinkRole::Owner) {
            let gone = ways.is_ownerless(class, "x", false, 0);
            let either = ways.is_ownerless(class, "x", true, 0);
            // This skips all classes above, so only the row's own links are checked.
            let own = ways.is_ownerless(class, "x", true, self.bound.classes.len());
            let none = format!("({either} AND NOT {gone})");
            // In a cycle every row has an owner, but no row leads to a customer.
            let is_in_one = self.is_in_a_circle(class);
            let may_be = is_in_one || self.above(class).iter().any(|above| self.is_in_a_circle(above));
            let led = may_be.then(|| ways.number_of_persons(class)).flatten();
            let circle = led.map(|led| Circle { have_one: format!("(NOT {either})"), led, is_in_one });
            let hangs = self.above(class).iter().any(|above| !above.is_root);
            return Nobodys { none, gone, by_itself: hangs.then_some(own), circle };
        }
        let own: Vec<&BoundLink> = class.links.iter().filter(|link| link.role == LinkRole::Shared).collect();
        let holders: Vec<(&BoundClass, &BoundLink)> = self
            .bound
            .classes
            .iter()
            .flat_map(|foot| foot.links.iter().map(move |link| (foot, link)))
            .filter(|(_, link)| link.holds && link.heads.contains(&class.name))
            .collect();
        let cannot_be_told =
            holders.iter().any(|(_, link)| !link.hops.is_empty() || link.compare != Compare::Exact);
        if class.is_root || cannot_be_told || (own.is_empty() && holders.is_empty()) {
            return Nobodys {
                none: "FALSE".to_owned(),
                gone: "FALSE".to_owned(),
                by_itself: None,
                circle: None,
            };
        }
        let is_held = holders.iter().map(|(foot, link)| is_held(&self.bound, foot, link));
        let leads = own.iter().flat_map(|link| {
            let heads = link.heads.iter().filter_map(|name| self.bound.class(name));
            heads.map(|head| {
                format!("{} IS NOT NULL", ways.scalar(link, class, head, ("x", "relinquish_end"), "1"))
            })
        });
        let at_stand_in = own.iter().filter_map(|link| is_at_stand_in(&self.bound, link));
        let is_somebodys: Vec<String> = is_held.chain(leads).chain(at_stand_in).collect();
        let names_one: Vec<String> = own
            .iter()
            .map(|link| {
                let is_set = link.columns.iter().map(|column| format!("x.{} IS NOT NULL", quoted(column)));
                format!("({})", is_set.collect::<Vec<_>>().join(" AND "))
            })
            .collect();
        let names_one = if names_one.is_empty() { "FALSE".to_owned() } else { names_one.join(" OR ") };
        let is_nobodys = format!("NOT coalesce({}, FALSE)", is_somebodys.join(" OR "));
        Nobodys {
            none: format!("({is_nobodys} AND NOT ({names_one}))"),
            gone: format!("({is_nobodys} AND ({names_one}))"),
            by_itself: None,
            circle: None,
        }
    }

    /// Whether records of the class may hang from each other in a cycle.
    fn is_in_a_circle(&self, class: &BoundClass) -> bool {
        !class.is_root && self.above(class).iter().any(|above| above.name == class.name)
    }

    /// The classes from which a class's records hang by owner links, directly or through other classes.
    fn above(&self, class: &BoundClass) -> Vec<&BoundClass> {
        let heads = |class: &BoundClass| {
            let owners = class.links.iter().filter(|link| link.role == LinkRole::Owner);
            let names = owners.flat_map(|link| &link.heads).filter_map(|name| self.bound.class(name));
            names.collect::<Vec<_>>()
        };
        let (mut all, mut todo) = (Vec::<&BoundClass>::new(), heads(class));
        while let Some(found) = todo.pop() {
            if all.iter().all(|known| known.name != found.name) {
                all.push(found);
                todo.extend(heads(found));
            }
        }
        all
    }
}

/// The conditions that a row `x` has no owner.
struct Nobodys {
    /// The row names no owner.
    none: String,
    /// The owner that the row names does not exist.
    gone: String,
    /// One of these is true by a link of the row itself, and not by a link of a record from which it hangs. `None` if
    /// this is always so, because the links lead to customers. Then the check per row is not needed.
    by_itself: Option<String>,
    /// What tells the rows whose owners form a circle that no customer is in.
    circle: Option<Circle>,
}

/// Where rows of a class may hang from each other: each of them has an owner, and yet it may lead to no customer. Such rows
/// are the difference of two numbers, because a way from each row up takes the square of the depth.
struct Circle {
    /// The condition that the row `x` has an owner.
    have_one: String,
    /// The select of the number of rows that lead to a customer.
    led: String,
    /// Rows of the class itself form circles.
    is_in_one: bool,
}

impl Circle {
    /// Counts the rows that have an owner and lead to no customer: all rows with an owner, without those that lead to one.
    fn add_to(&self, gone: &mut Counted, with_owner: u64, led: u64) {
        let to_nobody = with_owner.saturating_sub(led);
        gone.rows += to_nobody;
        gone.hanging += if self.is_in_one { 0 } else { to_nobody };
    }
}

/// The condition that a link of the row `x` leads to the "Unknown Customer". The map says "stand-in" for it, so the row is
/// where it should be. `None` if no erasure hands the link over.
fn is_at_stand_in(bound: &Bound, link: &BoundLink) -> Option<String> {
    let root =
        bound.root().filter(|_| link.gone == WhenGone::StandIn && bound.customers.unknown.is_some())?;
    let table = quoted(&root.table);
    let compared = |alias: &str, columns: &[String]| {
        let value = |column: &String| format!("{alias}.{}", quoted(column));
        let each = columns.iter().map(|column| bound.dialect.compared(link.compare, &value(column)));
        each.collect::<Vec<_>>().join(", ")
    };
    Some(format!(
        "coalesce(({}) IN (SELECT {} FROM {} AS {table} WHERE {}), FALSE)",
        compared("x", &link.columns),
        compared(&table, &link.to_columns),
        bound.table(&root.table),
        stand_in_sql(bound.dialect, &bound.customers, &table)
    ))
}

/// The condition that a holding link of another class leads to the row `x`.
fn is_held(bound: &Bound, foot: &BoundClass, link: &BoundLink) -> String {
    let mut is_there = String::new();
    for column in &link.columns {
        // Writing to a String never fails.
        let _ = write!(is_there, " AND relinquish_foot.{} IS NOT NULL", quoted(column));
    }
    format!(
        "coalesce({} IN (SELECT {} FROM {} AS relinquish_foot WHERE TRUE{}{is_there}), FALSE)",
        columns("x", &link.to_columns),
        listed("relinquish_foot", &link.columns),
        bound.table(&foot.table),
        of_class(bound, "relinquish_foot", &foot.rows),
    )
}

/// The map's reason for rows that no class claims.
fn ignored_rest(map: &SqlMap, table: &str) -> Option<String> {
    map.ignore.iter().find_map(|(name, ignored)| match ignored {
        Ignored::Rest(reason) if name.eq_ignore_ascii_case(table) => Some(reason.clone()),
        Ignored::Rest(_) | Ignored::Table(_) => None,
    })
}

/// The columns that distinguish the classes of a table and that the map explicitly calls not personal.
fn divides<'b>(map: &SqlMap, table: &str, classes: impl Iterator<Item = &'b BoundClass>) -> BTreeSet<String> {
    let mut columns = BTreeSet::new();
    for class in classes {
        let of_others = class.rows.without.iter().flatten();
        columns.extend(class.rows.with.iter().chain(of_others).map(|(column, _)| column.clone()));
    }
    let root = map.customers.table.eq_ignore_ascii_case(table);
    let root = root.then_some((&map.customers.fields, &map.customers.rest));
    let records = map.records.values().filter(|record| record.table.eq_ignore_ascii_case(table));
    let said: Vec<_> = root.into_iter().chain(records.map(|record| (&record.fields, &record.rest))).collect();
    columns.retain(|column| {
        let mut kinds = said.iter().filter_map(|(fields, rest)| {
            let named = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(column));
            named.map(|(_, field)| field).or(rest.as_ref())
        });
        let first = kinds.next();
        first.into_iter().chain(kinds).all(|field| field.kind.is_none() && field.json.is_empty())
            && first.is_some()
    });
    columns
}

/// The most frequent values of a column in rows that no class claims.
fn values(
    bound: &Bound,
    session: &mut dyn Session,
    table: &str,
    column: &str,
    is_unclaimed: &str,
) -> Result<Vec<(String, u64)>, Fault> {
    let sql = format!(
        "SELECT x.{} AS value, count(*) AS count FROM {} AS x WHERE {is_unclaimed} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {VALUES}",
        quoted(column),
        bound.table(table),
    );
    session.rows(&sql, &[], |row| {
        let value = match row.cell(0)? {
            Cell::Null => "NULL".to_owned(),
            Cell::Integer(number) => number.to_string(),
            Cell::Real(number) => number.to_string(),
            Cell::Text(text) => String::from_utf8_lossy(text).chars().take(CHARS).collect(),
            Cell::Blob(_) => "bytes".to_owned(),
        };
        Ok((value, row.natural(1)?))
    })
}
