//! The schema, the map and the policy of a generated shop, as texts.

use std::fmt::Write as _;

use super::generated::{Action, Column, Form, Holds, Shop};

impl Shop {
    pub(super) fn schema(&self) -> String {
        let mut sql = String::from(
            "CREATE TABLE customers (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, state TEXT NOT NULL, \
             stand_in INTEGER NOT NULL DEFAULT 0",
        );
        columns_sql(&mut sql, &self.columns, false);
        sql.push_str(");\n");
        for (n, table) in self.tables.iter().enumerate() {
            let key = match table.form {
                Form::Composite => "part TEXT NOT NULL, id INTEGER NOT NULL",
                _ => "id INTEGER PRIMARY KEY",
            };
            let _ = write!(sql, "CREATE TABLE t{n} ({key}, owner INTEGER NOT NULL");
            match table.parent {
                None if table.typed => sql.push_str(", owner_type TEXT NOT NULL"),
                None => sql.push_str(" REFERENCES customers (id)"),
                Some(parent) if self.tables[parent].form == Form::Composite => {
                    sql.push_str(", owner_part TEXT NOT NULL");
                }
                Some(parent) => {
                    let _ = write!(sql, " REFERENCES t{parent} (id)");
                }
            }
            sql.push_str(", amount INTEGER");
            if let Some(on_delete) = table.second {
                let _ = write!(sql, ", other INTEGER REFERENCES customers (id) {on_delete}");
            }
            columns_sql(&mut sql, &table.columns, table.form == Form::Strict);
            if table.form == Form::Composite {
                sql.push_str(", PRIMARY KEY (part, id)");
            }
            if let Some(parent) = table.parent.filter(|parent| self.tables[*parent].form == Form::Composite) {
                let _ = write!(sql, ", FOREIGN KEY (owner_part, owner) REFERENCES t{parent} (part, id)");
            }
            sql.push_str(match table.form {
                Form::Plain => ");\n",
                Form::Strict => ") STRICT;\n",
                Form::WithoutRowid | Form::Composite => ") WITHOUT ROWID;\n",
            });
        }
        if self.shared.is_some() {
            sql.push_str(
                "CREATE TABLE addresses (id INTEGER PRIMARY KEY, street TEXT);
                 CREATE TABLE residents (client INTEGER NOT NULL REFERENCES customers (id), \
                 address INTEGER NOT NULL REFERENCES addresses (id), PRIMARY KEY (client, address));\n",
            );
        }
        sql
    }

    pub(super) fn map(&self) -> String {
        let mut toml = String::from(
            "version = 1\n[customers]\ntable = 'customers'\nkey = 'id'\ntenant = 'tenant'\n\
             active_subscriptions = { sql = '0' }\ntenants = { sql = '1' }\n\
             status = { column = 'state', active = 'active', archived = 'archived' }\n\
             deactivate = { state = 'archived' }\n[customers.unknown_customer]\nfind = { stand_in = 1 }\n\
             create = { state = 'active'",
        );
        for (n, column) in self.columns.iter().enumerate().filter(|(_, column)| column.required) {
            let _ = write!(toml, ", c{n} = '{}'", if column.unique { "u{tenant}" } else { "unknown" });
        }
        toml.push_str(" }\n[customers.fields]\nstand_in = 'not personal'\n");
        fields_toml(&mut toml, &self.columns, false);
        for (n, table) in self.tables.iter().enumerate() {
            let key = if table.form == Form::Composite { "['part', 'id']" } else { "'id'" };
            let mut way = Vec::new();
            let mut at = Some(table);
            while let Some(table) = at {
                let parent = table.parent.map(|parent| &self.tables[parent]);
                way.push(match parent {
                    _ if table.typed => "{ column = 'owner', when = { owner_type = 'client' } }",
                    Some(parent) if parent.form == Form::Composite => "['owner_part', 'owner']",
                    _ => "'owner'",
                });
                at = parent;
            }
            let _ = write!(
                toml,
                "[records.r{n}]\ntable = 't{n}'\nkey = {key}\nowner = [{}]\n[records.r{n}.fields]\namount = 'not personal'\n",
                way.join(", ")
            );
            if table.form == Form::Composite {
                toml.push_str("part = 'not personal'\n");
            }
            fields_toml(&mut toml, &table.columns, table.form == Form::Strict);
            if table.second.is_some() {
                let _ = writeln!(toml, "[records.r{n}.ends]\nother = 'clear'");
            }
        }
        if self.shared.is_some() {
            toml.push_str(
                "[records.resident]\ntable = 'residents'\nkey = ['client', 'address']\nowner = 'client'\n\
                 [records.address]\ntable = 'addresses'\nkey = 'id'\nfields.street = 'address'\n\
                 shared = ['resident.address']\nnobody = 'of houses that stand empty'\n",
            );
        }
        // The table also has rows of other people.
        for (n, _) in self.tables.iter().enumerate().filter(|(_, table)| table.typed) {
            let _ = writeln!(toml, "[ignore.t{n}]\nrest = 'of others'");
        }
        toml
    }

    pub(super) fn policy(&self) -> String {
        let mut toml = String::from(
            "version = 1\nsweep = true\n[triggers]\nrequested = { treatment = 'x' }\n[guards]\nnot_archived = { ignore = 'x' }\n\
             [anonymise]\nname = 'remove'\nemail = 'remove'\nphone = 'remove'\nusername = 'token'\naddress = 'remove'\n\
             password = 'invalidate'\nfree_text = 'remove'\n[treatments.x]\n",
        );
        let said = |action| match action {
            Action::Delete => "'delete'",
            Action::Anonymise => "'anonymise'",
            Action::Reassign => "'reassign'",
            Action::Keep => "{ keep = 'the books' }",
        };
        let _ = writeln!(toml, "customer = {}", said(self.action_of_customers()));
        for (n, table) in self.tables.iter().enumerate() {
            let _ = writeln!(toml, "r{n} = {}", said(table.action));
        }
        if let Some(action) = self.shared {
            let _ = writeln!(toml, "resident = 'delete'\naddress = {}", said(action));
        }
        toml
    }
}

fn columns_sql(sql: &mut String, columns: &[Column], strict: bool) {
    for (n, column) in columns.iter().enumerate() {
        let longest = column.longest.filter(|_| !strict);
        let declared = longest.map_or("TEXT".to_owned(), |longest| format!("VARCHAR({longest})"));
        let required = if column.required { " NOT NULL" } else { "" };
        let unique = if column.unique { " UNIQUE" } else { "" };
        let _ = write!(sql, ", c{n} {declared}{required}{unique}");
    }
}

/// If the schema does not give a maximum length, the map does.
fn fields_toml(toml: &mut String, columns: &[Column], strict: bool) {
    for (n, column) in columns.iter().enumerate() {
        let _ = match (column.holds, column.longest.filter(|_| strict)) {
            (Holds::Plain, _) => writeln!(toml, "c{n} = 'not personal'"),
            (Holds::Personal(kind), None) => writeln!(toml, "c{n} = '{kind}'"),
            (Holds::Personal(kind), Some(longest)) => {
                writeln!(toml, "c{n} = {{ kind = '{kind}', max_chars = {longest} }}")
            }
            (Holds::Document, _) => writeln!(
                toml,
                "c{n} = {{ json = {{ '/name' = 'name', '/contacts/*/email' = 'email' }}, rest = 'not personal' }}"
            ),
        };
    }
}
