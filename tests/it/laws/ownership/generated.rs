//! Random shapes and random worlds.
//!
//! A shape is drawn freely. Then it is mended until the check accepts it. In this way rare shapes are drawn too. An
//! impossible shape is a possible one with a single change.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use fastrand::Rng;

use super::possible::{Problem, Why};
use super::world::{
    Action, CUSTOMERS, Class, Compare, Divided, Duty, Field, Gone, Id, KeyForm, Link, Made, OnDelete, Own,
    Role, Row, STAND_IN, Shape, Table, To, Treatment, Val, When, World,
};

const NAMES: [&str; 5] = ["ash", "birch", "cedar", "elm", "fir"];
/// The values of the column by which a table is divided into classes.
pub(super) const KINDS: [&str; 3] = ["a", "b", "c"];

fn chance(rng: &mut Rng, percent: u32) -> bool {
    rng.u32(0..100) < percent
}

fn pick<T: Clone>(rng: &mut Rng, list: &[T]) -> T {
    list[rng.usize(0..list.len())].clone()
}

/// A shape that the check accepts.
pub(super) fn shape(rng: &mut Rng) -> Shape {
    loop {
        let mut shape = drawn(rng);
        for _ in 0..80 {
            let problems = [shape.problems(), shape.doubts()].concat();
            if !problems.is_empty() {
                let problem = problems[rng.usize(0..problems.len())];
                mend(rng, &mut shape, problem);
                continue;
            }
            // What is said of the other treatment is mended there.
            let of_other = shape.by_the_other().filter(|other| !other.problems().is_empty());
            let Some(mut other) = of_other else {
                shape.drop_idle_needs();
                return shape;
            };
            let problems = other.problems();
            let problem = problems[rng.usize(0..problems.len())];
            mend(rng, &mut other, problem);
            shape = other.by_the_other().unwrap_or(other);
        }
    }
}

/// A shape with exactly one problem, so that the check refuses it.
pub(super) fn impossible(rng: &mut Rng) -> (Shape, Problem) {
    loop {
        let mut shape = shape(rng);
        // It is said of one treatment.
        shape.other = None;
        let class = rng.usize(0..shape.classes.len());
        let links = shape.classes[class].links.len();
        match rng.u32(0..4) {
            0 if links > 0 => {
                let link = &mut shape.classes[class].links[rng.usize(0..links)];
                link.gone = any_gone(rng);
            }
            1 if class != CUSTOMERS => shape.classes[class].action = any_action(rng),
            2 if links > 0 && !shape.duties.is_empty() => {
                shape.duties[0].needs.insert((class, rng.usize(0..links)));
                shape.drop_idle_needs();
            }
            3 if shape.classes[class].table != 0 && !shape.duties.is_empty() => {
                shape.duties[0].classes.insert(class);
            }
            _ => {}
        }
        if let [problem] = shape.problems().as_slice()
            && is_certain(&shape, *problem)
        {
            let problem = *problem;
            return (shape, problem);
        }
    }
}

/// Whether the check certainly refuses this problem. In some cases the check may also accept it.
fn is_certain(shape: &Shape, problem: Problem) -> bool {
    let link = problem.link.map(|l| &shape.classes[problem.class].links[l]);
    let never_deleted = {
        let mut shape = shape.clone();
        for class in &mut shape.classes {
            if let Action::Reassign { or_delete } = &mut class.action {
                *or_delete = false;
            }
        }
        shape.problems().is_empty()
    };
    match (problem.why, link) {
        _ if never_deleted => false,
        // The check reports this problem for another class: the one whose rows may be deleted.
        (Why::RestIsTied, _) => false,
        // Without a foreign key, the check cannot know that the column is a link. Some ends need no line in the map.
        (Why::NothingSaid, Some(link)) => {
            link.foreign_key.is_some() && link.hangs.is_empty() && !shape.ends_by_schema
        }
        (Why::ValueUnderDuty, Some(link)) => link.role != Role::End,
        _ => true,
    }
}

fn any_gone(rng: &mut Rng) -> Option<Gone> {
    pick(
        rng,
        &[None, Some(Gone::Goes), Some(Gone::Same), Some(Gone::Clear), Some(Gone::StandIn), Some(Gone::Keep)],
    )
}

fn any_action(rng: &mut Rng) -> Action {
    match rng.u32(0..6) {
        0..=2 => Action::Delete,
        3 => Action::Anonymise,
        4 => Action::Keep,
        _ => Action::Reassign { or_delete: rng.bool() },
    }
}

/// Changes one thing that may cause the problem.
fn mend(rng: &mut Rng, shape: &mut Shape, problem: Problem) {
    let Problem { class, link, why } = problem;
    if why == Why::NeedsCustomers || (why == Why::ValueUnderDuty && chance(rng, 80)) {
        for duty in &mut shape.duties {
            if why == Why::NeedsCustomers {
                duty.needs.remove(&(class, link.unwrap_or_default()));
            } else {
                let classes: Vec<usize> = duty.classes.iter().copied().collect();
                let at_random = classes.get(rng.usize(0..5)).copied();
                duty.classes.remove(&at_random.unwrap_or(class));
            }
        }
        shape.duties.retain(|duty| !duty.classes.is_empty());
        return;
    }
    if let (Why::RestIsTied, Some(l)) = (why, link) {
        let to = shape.classes[class].links[l].to;
        if shape.tables[to].classes.len() == 1 && rng.bool() {
            set_column(shape, class, l, |link| link.foreign_key = None);
            return;
        }
    }
    let heads = link.map(|l| shape.heads(&shape.classes[class].links[l]).to_vec()).unwrap_or_default();
    match (link, rng.u32(0..10)) {
        (Some(l), 0..=4) => {
            let gone = any_gone(rng);
            let link = &mut shape.classes[class].links[l];
            link.gone = if link.role == Role::End { gone.or(Some(Gone::Clear)) } else { gone };
            if rng.u32(0..4) == 0 {
                set_column(shape, class, l, |link| link.nullable = true);
            }
        }
        (Some(l), 5) if shape.classes[class].links[l].role != Role::End && class != CUSTOMERS => {
            let link = &mut shape.classes[class].links[l];
            if link.value.is_none() {
                link.role = pick(rng, &[Role::Shared, Role::End]);
                link.gone = link.gone.or(Some(Gone::Clear));
            }
        }
        (Some(_), 6) => {
            if let Some(&head) = heads.iter().find(|head| **head != CUSTOMERS) {
                shape.classes[head].action = pick(rng, &[Action::Anonymise, Action::Keep, Action::Delete]);
            }
        }
        _ if class != CUSTOMERS => shape.classes[class].action = any_action(rng),
        _ => {}
    }
}

/// Changes a link in all classes of the table that have its column.
fn set_column(shape: &mut Shape, class: usize, link: usize, set: impl Fn(&mut Link)) {
    let (table, name) = (shape.classes[class].table, shape.classes[class].links[link].name.clone());
    for class in shape.classes.iter_mut().filter(|class| class.table == table) {
        class.links.iter_mut().filter(|link| link.name == name).for_each(&set);
    }
}

struct Draft<'r> {
    rng: &'r mut Rng,
    shape: Shape,
}

fn drawn(rng: &mut Rng) -> Shape {
    let key = pick(rng, &[KeyForm::Integer, KeyForm::Integer, KeyForm::Text, KeyForm::Bytes, KeyForm::Pair]);
    let customers = Table {
        name: "clients".to_owned(),
        key,
        without_rowid: key != KeyForm::Integer && rng.bool(),
        classes: vec![CUSTOMERS],
        divided: Divided::No,
        ignored: false,
    };
    let field = |column: &str, kind: &'static str| Field { column: column.to_owned(), kind, of: None };
    let customer = Class {
        name: "customer".to_owned(),
        table: 0,
        when: When::Always,
        links: Vec::new(),
        fields: vec![field("name", "name"), field("email", "email")],
        action: pick(rng, &[Action::Delete, Action::Anonymise]),
    };
    let ends_by_schema = chance(rng, 30);
    let shape = Shape {
        tables: vec![customers],
        classes: vec![customer],
        duties: Vec::new(),
        ends_by_schema,
        treatment: "x",
        own: Own::default(),
        other: None,
    };
    let mut draft = Draft { rng, shape };
    let classes = draft.rng.usize(1..=5);
    for name in &NAMES[..classes] {
        draft.add_class(name);
    }
    draft.add_ends();
    draft.divide_customers();
    draft.divide();
    draft.add_fields_of_others();
    draft.add_duties();
    draft.drop_keys();
    draft.add_treatment();
    draft.shape
}

impl Draft<'_> {
    fn chance(&mut self, percent: u32) -> bool {
        chance(self.rng, percent)
    }

    fn any_table(&mut self) -> usize {
        self.rng.usize(0..self.shape.tables.len())
    }

    /// A random link of a class to a table.
    fn link(&mut self, class: usize, to: usize, role: Role) -> Link {
        let of = &self.shape.classes[class];
        let name = format!("{}_{}", of.name, of.links.len());
        let (own, key) = (of.table == to, self.shape.tables[to].key);
        let foreign_key = self.chance(70).then(|| {
            let on_delete = [
                OnDelete::Nothing,
                OnDelete::Nothing,
                OnDelete::Restrict,
                OnDelete::Cascade,
                OnDelete::SetNull,
            ];
            pick(self.rng, &on_delete)
        });
        let loose = foreign_key.is_none();
        let none = loose && matches!(key, KeyForm::Integer | KeyForm::Text) && self.chance(40);
        let as_text = loose && !none && to == 0 && key == KeyForm::Integer && self.chance(25);
        let nullable = own || class == CUSTOMERS || foreign_key == Some(OnDelete::SetNull) || self.chance(75);
        let gone =
            (role != Role::Owner || self.chance(50)).then(|| self.any_end(to, loose, nullable || none));
        let named = (loose && self.chance(30)) || key == KeyForm::Pair;
        Link {
            name,
            to,
            role,
            gone,
            hangs: BTreeSet::new(),
            value: None,
            foreign_key,
            nullable,
            none,
            as_text,
            named,
        }
    }

    fn any_end(&mut self, to: usize, loose: bool, clearable: bool) -> Gone {
        let mut ends = vec![Gone::Goes];
        if clearable {
            ends.extend([Gone::Clear, Gone::Clear]);
        }
        if to == 0 {
            ends.push(Gone::StandIn);
        }
        if loose {
            ends.push(Gone::Keep);
        }
        pick(self.rng, &ends)
    }

    fn value_link(&mut self, class: usize, role: Role) -> Link {
        let mut link = self.link(class, 0, role);
        (link.foreign_key, link.none, link.as_text, link.nullable) = (None, false, false, true);
        link.value = Some(pick(self.rng, &[Compare::Exact, Compare::NoCase, Compare::Normalised]));
        link.gone = (role == Role::End).then(|| pick(self.rng, &[Gone::Goes, Gone::Clear]));
        link.named = self.rng.bool();
        link
    }

    fn push(&mut self, class: usize, link: Link) -> usize {
        self.shape.classes[class].links.push(link);
        self.shape.classes[class].links.len() - 1
    }

    fn add_class(&mut self, name: &str) {
        let class = self.shape.classes.len();
        let earlier = self.rng.usize(0..self.shape.tables.len());
        let forms = [KeyForm::Integer, KeyForm::Integer, KeyForm::Text, KeyForm::Bytes, KeyForm::Pair];
        let key = pick(self.rng, &forms);
        self.shape.tables.push(Table {
            name: if self.rng.bool() { name.to_owned() } else { format!("{name}_rows") },
            key,
            without_rowid: key != KeyForm::Integer && self.rng.bool(),
            classes: vec![class],
            divided: Divided::No,
            ignored: false,
        });
        let kind = pick(self.rng, &["name", "email", "username"]);
        let mut fields = vec![Field { column: "words".to_owned(), kind, of: None }];
        if self.chance(20) {
            fields.push(Field { column: "more_words".to_owned(), kind: "name", of: None });
        }
        let (table, action) = (self.shape.tables.len() - 1, any_action(self.rng));
        let name = name.to_owned();
        self.shape.classes.push(Class { name, table, when: When::Always, links: Vec::new(), fields, action });
        match self.rng.u32(0..22) {
            // A class that belongs to its customer directly or through another class.
            0..=4 => {
                let link = self.link(class, earlier, Role::Owner);
                self.push(class, link);
            }
            // A class that is handed over to the stand-in.
            5 => {
                let mut link = self.link(class, 0, Role::Owner);
                link.gone = link.gone.filter(|gone| *gone == Gone::StandIn);
                self.push(class, link);
                self.shape.classes[class].action = Action::Reassign { or_delete: self.rng.bool() };
            }
            // A tree: the first owner link leads to the parent, the second to another table.
            6 => {
                for to in [table, earlier] {
                    let link = self.link(class, to, Role::Owner);
                    self.push(class, link);
                }
            }
            // A tree with shared parents: a person who has a record also has the records below it.
            7 => {
                for (to, role) in [(earlier, Role::Owner), (table, Role::Shared)] {
                    let link = self.link(class, to, role);
                    self.push(class, link);
                }
            }
            // Both ends have it.
            8..=11 => {
                for _ in 0..2 {
                    let to = self.rng.usize(0..self.shape.tables.len() - 1);
                    let link = self.link(class, to, Role::Shared);
                    self.push(class, link);
                }
            }
            // A class to which shared links of other classes lead.
            12..=15 => {
                if self.chance(35) {
                    let link = self.link(class, 0, Role::Owner);
                    self.push(class, link);
                }
                for _ in 0..self.rng.usize(1..=2) {
                    let foot = self.rng.usize(0..class);
                    let mut link = self.link(foot, table, Role::End);
                    link.hangs.insert(class);
                    if self.shape.heads(&link) == [CUSTOMERS] || link.gone != Some(Gone::Keep) {
                        link.gone = Some(if link.clearable() { Gone::Clear } else { Gone::Goes });
                    }
                    self.push(foot, link);
                }
            }
            16..=17 => {
                let role = pick(self.rng, &[Role::Owner, Role::Owner, Role::Shared]);
                let link = self.value_link(class, role);
                self.push(class, link);
            }
            // A class with two owner links: a key and a value, or two keys. The first that is not empty counts.
            _ => {
                let link = self.link(class, earlier, Role::Owner);
                self.push(class, link);
                let link = if self.chance(70) {
                    self.value_link(class, Role::Owner)
                } else {
                    self.link(class, 0, Role::Owner)
                };
                self.push(class, link);
            }
        }
    }

    /// Adds links that make nobody an owner: links to other people's records, diamonds, circles of classes, and
    /// customers with links to customers.
    fn add_ends(&mut self) {
        for class in 1..self.shape.classes.len() {
            for _ in 0..pick(self.rng, &[0, 0, 1, 2]) {
                let to = self.any_table();
                let mut link = self.link(class, to, Role::End);
                if self.chance(20) {
                    link.gone = Some(Gone::Same);
                }
                self.push(class, link);
            }
            if self.chance(12) {
                let link = self.value_link(class, Role::End);
                self.push(class, link);
            }
        }
        if self.chance(20) {
            let mut link = self.link(CUSTOMERS, 0, Role::End);
            if link.gone == Some(Gone::Goes) {
                link.gone = Some(Gone::Clear);
            }
            self.push(CUSTOMERS, link);
        }
    }

    /// Adds a second class in the customers' table (contacts of customers), or rows there that no class claims.
    fn divide_customers(&mut self) {
        if self.chance(80) {
            return;
        }
        if self.chance(30) {
            (self.shape.tables[0].ignored, self.shape.tables[0].divided) = (true, Divided::ByKind);
            self.shape.classes[CUSTOMERS].when = When::Is(vec!["a"]);
            return;
        }
        let class = self.shape.classes.len();
        let mut contact = self.shape.classes[CUSTOMERS].clone();
        "contact".clone_into(&mut contact.name);
        contact.action = pick(self.rng, &[Action::Delete, Action::Delete, Action::Anonymise]);
        contact.when = pick(self.rng, &[When::Rest, When::NotNull]);
        self.shape.classes.push(contact);
        let mut parent = self.link(class, 0, Role::Owner);
        (parent.name, parent.nullable) = ("parent_id".to_owned(), true);
        (parent.none, parent.as_text, parent.gone) = (false, false, None);
        parent.foreign_key = Some(OnDelete::Nothing);
        let column = parent.name.clone();
        self.shape.classes[class].links.insert(0, parent);
        self.shape.classes[CUSTOMERS].when = When::Null;
        self.shape.tables[0].classes.push(class);
        self.shape.tables[0].divided = Divided::ByLink(column);
        // A link to this table may now lead to either class. It needs a foreign key, and cannot lead to the stand-in.
        for class in &mut self.shape.classes {
            for link in class.links.iter_mut().filter(|link| link.to == 0 && link.value.is_none()) {
                link.foreign_key = link.foreign_key.or(Some(OnDelete::Nothing));
                (link.none, link.as_text) = (false, false);
                link.named = link.named && self.shape.tables[0].key == KeyForm::Pair;
            }
        }
    }

    /// Adds a second class in the table of a class, or rows there that no class claims.
    fn divide(&mut self) {
        for class in 1..self.shape.classes.len() {
            let table = self.shape.classes[class].table;
            let by_name =
                |link: &Link| link.to == table && link.value.is_none() && link.foreign_key.is_none();
            // A link without a foreign key names a class, so it cannot lead to a second class.
            if table == 0 || self.chance(70) || self.shape.links().any(|(_, _, link)| by_name(link)) {
                continue;
            }
            self.shape.tables[table].divided = Divided::ByKind;
            if self.chance(30) {
                self.shape.tables[table].ignored = true;
                self.shape.classes[class].when = pick(self.rng, &[When::Is(vec!["a", "b"]), When::Null]);
                self.shape.classes[class].links.iter_mut().for_each(|link| link.nullable = true);
                continue;
            }
            let mut other = self.shape.classes[class].clone();
            other.name = format!("other_{}", other.name);
            let styles = [
                (When::Is(vec!["a"]), When::Rest),
                (When::Is(vec!["a", "b"]), When::Rest),
                (When::Null, When::NotNull),
                (When::Null, When::Rest),
                (When::Is(vec!["a"]), When::Not("a")),
                (When::Is(vec!["a"]), When::Is(vec!["b", "c"])),
            ];
            let (one, two) = pick(self.rng, &styles);
            self.shape.tables[table].ignored = matches!(two, When::Is(_)) && self.rng.bool();
            if self.shape.tables[table].ignored {
                let links = self.shape.classes[class].links.iter_mut().chain(&mut other.links);
                links.for_each(|link| link.nullable = true);
            }
            (self.shape.classes[class].when, other.when) = (one, two);
            other.action = any_action(self.rng);
            for link in other.links.iter_mut().filter(|link| link.value.is_none()) {
                if link.role == Role::End && self.rng.bool() {
                    link.gone = Some(pick(self.rng, &[Gone::Goes, Gone::Clear]));
                }
            }
            let second = self.shape.classes.len();
            self.typed(class, &mut other);
            self.shape.classes.push(other);
            self.shape.tables[table].classes.push(second);
            // A link that shares records of the first class shares records of the second class too.
            for link in self.shape.classes.iter_mut().flat_map(|class| &mut class.links) {
                if link.hangs.contains(&class) {
                    link.hangs.insert(second);
                }
            }
        }
    }

    /// Makes the owner link lead to one class in some rows, and to another class in other rows.
    fn typed(&mut self, class: usize, other: &mut Class) {
        let Some(link) = other.links.first().filter(|link| link.role == Role::Owner && link.value.is_none())
        else {
            return;
        };
        let key = self.shape.tables[link.to].key;
        let alike: Vec<usize> = (0..self.shape.tables.len())
            .filter(|table| {
                self.shape.tables[*table].key == key && self.shape.tables[*table].classes.len() == 1
            })
            .collect();
        let single = self.shape.tables[link.to].classes.len() == 1;
        if alike.is_empty() || !single || link.as_text || key == KeyForm::Pair || self.chance(60) {
            return;
        }
        let to = pick(self.rng, &alike);
        for link in [&mut other.links[0], &mut self.shape.classes[class].links[0]] {
            (link.foreign_key, link.named, link.nullable) = (None, false, true);
        }
        other.links[0].to = to;
        other.links[0].hangs.clear();
    }

    /// Adds fields that belong to the person to whom a link leads. There may be one or two of them, also in a
    /// customer's own record.
    fn add_fields_of_others(&mut self) {
        let customers_are_alone = self.shape.tables[0].classes.len() == 1;
        for class in &mut self.shape.classes {
            if class.links.is_empty() || (class.table == 0 && !customers_are_alone) {
                continue;
            }
            for column in ["words_of_another", "words_of_a_third"] {
                if chance(self.rng, 30) {
                    let of = Some(self.rng.usize(0..class.links.len()));
                    let kind = pick(self.rng, &["name", "username"]);
                    class.fields.push(Field { column: column.to_owned(), kind, of });
                }
            }
        }
    }

    /// Removes the primary key of some tables to which no link leads.
    fn drop_keys(&mut self) {
        for table in 1..self.shape.tables.len() {
            let led_to = self.shape.links().any(|(_, _, link)| link.to == table && link.value.is_none());
            if !led_to && self.chance(25) {
                self.shape.tables[table].key = KeyForm::Rowid;
                self.shape.tables[table].without_rowid = false;
            }
        }
    }

    /// Another treatment: weaker or stronger, with other lines.
    fn add_treatment(&mut self) {
        if self.chance(40) {
            return;
        }
        let mut actions: Vec<Action> = Vec::new();
        for (c, class) in self.shape.classes.iter().enumerate() {
            let own = self.rng.u32(0..100);
            actions.push(match c {
                CUSTOMERS => {
                    let mostly = [Action::Delete, Action::Anonymise, Action::Anonymise, Action::Anonymise];
                    if own < 15 { Action::Keep } else { pick(self.rng, &mostly) }
                }
                _ if own < 40 => class.action,
                _ => any_action(self.rng),
            });
        }
        let writes = actions[CUSTOMERS] == Action::Anonymise;
        let own = Own { keeps_email: writes && self.chance(60), writes_otherwise: writes && self.chance(60) };
        self.shape.other = Some(Treatment { name: "y", actions, own });
    }

    fn add_duties(&mut self) {
        for _ in 0..pick(self.rng, &[0, 1, 1, 2]) {
            let mut duty = Duty::default();
            for class in 1..self.shape.classes.len() {
                // Rows of the customers' table have no date here.
                if self.shape.classes[class].table != 0 && self.chance(30) {
                    duty.classes.insert(class);
                }
            }
            for (class, l, link) in self.shape.links() {
                if class != CUSTOMERS && link.value.is_none() && chance(self.rng, 35) {
                    duty.needs.insert((class, l));
                }
            }
            if !duty.classes.is_empty() {
                self.shape.duties.push(duty);
            }
        }
    }
}

fn email(rng: &mut Rng, who: &str) -> String {
    if chance(rng, 15) {
        return pick(rng, &["", " ", "\t"]).to_owned();
    }
    let plain = format!("ås{who}@x.org");
    match rng.u32(0..10) {
        0 => plain.to_uppercase(),
        1 => format!("Ås{who}@X.org"),
        2 => format!(" {plain} "),
        // The same letter, written as two characters.
        3 => plain.replace('å', "a\u{30a}"),
        _ => plain,
    }
}

fn any_kind(rng: &mut Rng, when: &When) -> Option<&'static str> {
    match when {
        When::Always | When::Null => None,
        When::Is(list) => Some(pick(rng, list)),
        When::Not(value) => {
            let others: Vec<&str> = KINDS.into_iter().filter(|kind| kind != value).collect();
            Some(pick(rng, &others))
        }
        When::NotNull => Some(pick(rng, &KINDS)),
        // A value that no class names.
        When::Rest => Some("z"),
    }
}

/// Rows for a shape.
pub(super) fn world(rng: &mut Rng, shape: &Rc<Shape>) -> World {
    let mut world = World { shape: Rc::clone(shape), rows: BTreeMap::new() };
    let people = rng.u32(2..=4);
    // A class needs at least one row if every row of another class has to lead to it.
    let demanded: BTreeSet<usize> = shape
        .links()
        .filter(|(_, _, link)| !link.clearable() && link.value.is_none())
        .filter_map(|(_, _, link)| shape.heads(link).first().copied())
        .collect();
    let mut next = vec![1_u32; shape.tables.len()];
    for (c, class) in shape.classes.iter().enumerate() {
        let count = match c {
            CUSTOMERS => people,
            _ if demanded.contains(&c) => rng.u32(1..=5),
            _ => rng.u32(0..=5),
        };
        for _ in 0..count {
            let id = Id { class: c, n: next[class.table] };
            next[class.table] += 1;
            let mut row = any_row(rng, class, id);
            if class.table == 0 {
                let who = if c == CUSTOMERS && chance(rng, 10) { 1 } else { id.n };
                row.val[super::world::EMAIL] = Val::Text(email(rng, &who.to_string()));
            }
            world.rows.insert(id, row);
        }
    }
    if shape.has_stand_in() {
        let mut row = any_row(rng, &shape.classes[CUSTOMERS], STAND_IN);
        row.val[super::world::EMAIL] = Val::Text("nobody@x.org".to_owned());
        world.rows.insert(STAND_IN, row);
    }
    let ids: Vec<Id> = world.rows.keys().copied().filter(|id| *id != STAND_IN).collect();
    for id in ids {
        for l in 0..shape.classes[id.class].links.len() {
            let to = any_to(rng, &world, id, l);
            world.rows.get_mut(&id).unwrap().to[l] = to;
        }
    }
    world
}

fn any_row(rng: &mut Rng, class: &Class, id: Id) -> Row {
    let words = |field: &Field| Val::Text(format!("{} {} {}", class.name, id.n, field.column));
    Row {
        to: vec![To::Nowhere; class.links.len()],
        val: class.fields.iter().map(words).collect(),
        kind: any_kind(rng, &class.when),
        made: pick(rng, &[Made::LongAgo, Made::LongAgo, Made::LongAgo, Made::Lately, Made::Unknown]),
    }
}

fn any_to(rng: &mut Rng, world: &World, id: Id, l: usize) -> To {
    let shape = &world.shape;
    let class = &shape.classes[id.class];
    let link = &class.links[l];
    if link.value.is_some() {
        let who = pick(rng, &["1", "2", "3", "guest"]);
        return if chance(rng, 15) { To::Nowhere } else { To::Value(email(rng, who)) };
    }
    let divides = shape.tables[class.table].divided == Divided::ByLink(link.name.clone());
    if !divides && link.clearable() && chance(rng, 20) {
        return match (link.nullable, link.none) {
            (true, true) if rng.bool() => To::Nobody,
            (true, _) => To::Nowhere,
            (false, _) => To::Nobody,
        };
    }
    let is_text = link.as_text || shape.tables[link.to].key == KeyForm::Text;
    if link.foreign_key.is_none() && is_text && !link.none && !divides && chance(rng, 10) {
        return To::Blank;
    }
    if link.foreign_key.is_none() && chance(rng, 4) {
        return To::Row(Id { class: shape.heads(link)[0], n: 90 });
    }
    let handed_over = shape.tables[link.to].classes == [CUSTOMERS] && chance(rng, 3);
    let pool: Vec<Id> = world
        .rows
        .keys()
        .copied()
        .filter(|head| shape.heads(link).contains(&head.class) && (*head != STAND_IN || handed_over))
        .collect();
    match pool.as_slice() {
        [] if link.nullable => To::Nowhere,
        [] => To::Nobody,
        pool => To::Row(pick(rng, pool)),
    }
}
