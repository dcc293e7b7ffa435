//! The model: a shape (tables, classes, links, treatment, duties), and a world (the rows of one database).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use unicode_normalization::UnicodeNormalization;

/// The customers' own class, and their table.
pub(super) const CUSTOMERS: usize = 0;
/// The row that gets the records that are handed over. The stand-in is not a person.
pub(super) const STAND_IN: Id = Id { class: CUSTOMERS, n: 0 };
/// Every row of the customers' table has these fields, in this order.
pub(super) const NAME: usize = 0;
pub(super) const EMAIL: usize = 1;

/// A record: its class, and the number from which its key is made. No two rows of a table have the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) class: usize,
    pub(super) n: u32,
}

/// What a link means. In a class with several owner links, the first one that is not empty gives the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Owner,
    Shared,
    End,
}

/// What happens to a record when the row or the person at the other end of a link leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    Goes,
    Same,
    Clear,
    StandIn,
    Keep,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Exact,
    NoCase,
    Normalised,
}

impl Compare {
    pub(super) fn fold(self, value: &str) -> String {
        match self {
            Self::Exact => value.to_owned(),
            Self::NoCase => value.to_lowercase(),
            Self::Normalised => value.trim().nfc().collect::<String>().to_lowercase().nfc().collect(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnDelete {
    Nothing,
    Restrict,
    Cascade,
    SetNull,
}

#[derive(Clone, Debug)]
// The properties of a link are drawn independently.
#[expect(clippy::struct_excessive_bools)]
pub(super) struct Link {
    /// The name of the link. It is also the name of its column, unless the key has two columns.
    pub(super) name: String,
    /// The table to which the link leads.
    pub(super) to: usize,
    pub(super) role: Role,
    /// What `ends` says about the link. `None`: the map says nothing.
    pub(super) gone: Option<Gone>,
    /// The classes whose `shared` names this link. Their records belong to the record that has the link.
    pub(super) hangs: BTreeSet<usize>,
    /// The link is by value: it leads to the customer with this e-mail address.
    pub(super) value: Option<Compare>,
    pub(super) foreign_key: Option<OnDelete>,
    pub(super) nullable: bool,
    /// A zero or an empty text also means nobody.
    pub(super) none: bool,
    /// The column holds a customer's key as text.
    pub(super) as_text: bool,
    /// The map gives the link a name, under `links`.
    pub(super) named: bool,
}

impl Link {
    pub(super) fn clearable(&self) -> bool {
        self.nullable || self.none
    }
}

/// What a treatment does with the records of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Delete,
    Anonymise,
    Keep,
    Reassign { or_delete: bool },
}

/// The rows of the table that the class claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum When {
    Always,
    Is(Vec<&'static str>),
    Not(&'static str),
    Null,
    NotNull,
    Rest,
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) column: String,
    pub(super) kind: &'static str,
    /// The field belongs to the person to whom this link leads.
    pub(super) of: Option<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) name: String,
    pub(super) table: usize,
    pub(super) when: When,
    pub(super) links: Vec<Link>,
    pub(super) fields: Vec<Field>,
    pub(super) action: Action,
}

/// How a key is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyForm {
    Integer,
    Text,
    /// A UUID, in 16 bytes.
    Bytes,
    /// Two columns: an integer and a text.
    Pair,
    /// The table has no primary key, so no link can lead to its rows.
    Rowid,
}

/// The column by which a table is divided into its classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Divided {
    No,
    /// By a separate column.
    ByKind,
    /// By a link. In a customer's row it is empty; in a contact's row it leads to a customer or to another contact.
    ByLink(String),
}

#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) key: KeyForm,
    pub(super) without_rowid: bool,
    pub(super) classes: Vec<usize>,
    pub(super) divided: Divided,
    /// The table has rows that no class claims. The map ignores them with a reason.
    pub(super) ignored: bool,
}

/// What a law requires to be kept: records of some classes, and the records to which these links lead. A link is
/// named by its class and its position there.
#[derive(Clone, Debug, Default)]
pub(super) struct Duty {
    pub(super) classes: BTreeSet<usize>,
    pub(super) needs: BTreeSet<(usize, usize)>,
}

/// Another treatment of the same policy.
#[derive(Clone, Debug)]
pub(super) struct Treatment {
    pub(super) name: &'static str,
    /// What is done to the records of each class.
    pub(super) actions: Vec<Action>,
    pub(super) own: Own,
}

/// What a treatment does to the fields of a customer's own record.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Own {
    /// The e-mail address stays: the treatment is a weak one.
    pub(super) keeps_email: bool,
    /// The name takes something else than in other treatments.
    pub(super) writes_otherwise: bool,
}

/// A database, a map and a policy. Customers leave by one of the treatments at a time: the actions of the classes are of that
/// treatment.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) tables: Vec<Table>,
    pub(super) classes: Vec<Class>,
    pub(super) duties: Vec<Duty>,
    /// If the map does not name a foreign key, its `ON DELETE` clause says what happens at its end.
    pub(super) ends_by_schema: bool,
    /// The name of the treatment.
    pub(super) treatment: &'static str,
    pub(super) own: Own,
    pub(super) other: Option<Treatment>,
}

/// Where a link of a row leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// NULL.
    Nowhere,
    /// The link has the value that means nobody.
    Nobody,
    /// A blank text, of which the map says nothing.
    Blank,
    /// Cleared: NULL or the value that means nobody.
    Cleared,
    /// The row with this key, if it exists.
    Row(Id),
    /// Whoever has this value.
    Value(String),
    /// The link was by value, and the value was erased.
    Erased,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Val {
    Text(String),
    Erased,
    /// Erased by a treatment that writes something else here than others.
    Otherwise,
}

impl Val {
    pub(super) fn is_erased(&self) -> bool {
        !matches!(self, Self::Text(_))
    }
}

/// When a record was made. The duty has ended, has not ended, or is unknown because there is no date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    LongAgo,
    Lately,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) to: Vec<To>,
    pub(super) val: Vec<Val>,
    pub(super) kind: Option<&'static str>,
    pub(super) made: Made,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) shape: Rc<Shape>,
    pub(super) rows: BTreeMap<Id, Row>,
}

impl Shape {
    pub(super) fn action(&self, record: Id) -> Action {
        self.classes[record.class].action
    }

    /// The same with the other treatment in place of this one.
    pub(super) fn by_the_other(&self) -> Option<Self> {
        let other = self.other.as_ref()?;
        let mut shape = self.clone();
        for (class, action) in shape.classes.iter_mut().zip(&other.actions) {
            class.action = *action;
        }
        (shape.treatment, shape.own) = (other.name, other.own);
        shape.other = Some(Treatment {
            name: self.treatment,
            actions: self.classes.iter().map(|class| class.action).collect(),
            own: self.own,
        });
        Some(shape)
    }

    /// Whether the treatment leaves a field as it is in a record that it writes.
    pub(super) fn keeps(&self, record: Id, field: usize) -> bool {
        self.own.keeps_email && record.class == CUSTOMERS && field == EMAIL
    }

    /// Whether the treatment leaves nothing personal in a customer's own record.
    pub(super) fn is_strong(&self) -> bool {
        self.classes[CUSTOMERS].action != Action::Keep && !self.own.keeps_email
    }

    /// All links, with class and place.
    pub(super) fn links(&self) -> impl Iterator<Item = (usize, usize, &Link)> {
        self.classes
            .iter()
            .enumerate()
            .flat_map(|(c, class)| class.links.iter().enumerate().map(move |(l, link)| (c, l, link)))
    }

    /// The classes to which a link may lead.
    pub(super) fn heads(&self, link: &Link) -> &[usize] {
        if link.value.is_some() { &[CUSTOMERS] } else { &self.tables[link.to].classes }
    }

    /// Whether any record is handed over to the stand-in.
    pub(super) fn has_stand_in(&self) -> bool {
        let others = self.other.iter().flat_map(|other| &other.actions);
        let mut actions = self.classes.iter().map(|class| &class.action).chain(others);
        self.links().any(|(_, _, link)| link.gone == Some(Gone::StandIn))
            || actions.any(|action| matches!(action, Action::Reassign { .. }))
    }

    /// Whether rows of the class have the date from which a duty counts.
    pub(super) fn is_dated(&self, class: usize) -> bool {
        self.duties.iter().any(|duty| duty.classes.contains(&class))
    }
}

impl World {
    /// The same world after all duties have ended.
    pub(super) fn without_duties(&self) -> Self {
        let mut later = self.clone();
        later.rows.values_mut().for_each(|row| row.made = Made::LongAgo);
        later
    }

    /// The same world, for customers who leave by the other treatment.
    pub(super) fn by_the_other(&self) -> Option<Self> {
        let shape = Rc::new(self.shape.by_the_other()?);
        Some(Self { shape, rows: self.rows.clone() })
    }

    pub(super) fn is_empty_link(&self, record: Id, link: usize) -> bool {
        matches!(self.rows[&record].to[link], To::Nowhere | To::Nobody | To::Blank | To::Cleared)
    }
}
