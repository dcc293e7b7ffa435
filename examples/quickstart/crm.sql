-- The database of a small internet provider, as one finds it.
CREATE TABLE organisations (id INTEGER PRIMARY KEY, name TEXT NOT NULL);

CREATE TABLE clients (
    id INTEGER PRIMARY KEY,
    organisation_id INTEGER NOT NULL REFERENCES organisations (id),
    first_name VARCHAR(40) NOT NULL,
    last_name VARCHAR(40) NOT NULL,
    company TEXT,
    email VARCHAR(80) NOT NULL UNIQUE,
    phone TEXT,
    street TEXT,
    postcode TEXT,
    city TEXT,
    password_hash TEXT NOT NULL,
    invoice_text TEXT,
    stripe_id TEXT,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL,
    cancelled_on TEXT,
    archived_at TEXT,
    is_unknown INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX clients_by_organisation ON clients (organisation_id);

CREATE TABLE subscriptions (
    id INTEGER PRIMARY KEY,
    client_id INTEGER NOT NULL REFERENCES clients (id),
    plan TEXT NOT NULL,
    active INTEGER NOT NULL
);
CREATE INDEX subscriptions_by_client ON subscriptions (client_id);

CREATE TABLE delivery_addresses (
    id INTEGER PRIMARY KEY,
    client_id INTEGER NOT NULL REFERENCES clients (id),
    recipient TEXT NOT NULL,
    street TEXT NOT NULL,
    postcode TEXT NOT NULL,
    city TEXT NOT NULL
);
CREATE INDEX delivery_addresses_by_client ON delivery_addresses (client_id);

CREATE TABLE contacts (
    id INTEGER PRIMARY KEY,
    client_id INTEGER NOT NULL REFERENCES clients (id),
    name TEXT NOT NULL,
    username VARCHAR(30) NOT NULL UNIQUE,
    email TEXT,
    password_hash TEXT NOT NULL
);
CREATE INDEX contacts_by_client ON contacts (client_id);

CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    client_id INTEGER NOT NULL REFERENCES clients (id),
    ordered_on TEXT NOT NULL,
    deliver_to TEXT NOT NULL,
    note TEXT,
    total_cents INTEGER NOT NULL
);
CREATE INDEX orders_by_client ON orders (client_id);

CREATE TABLE invoices (
    id INTEGER PRIMARY KEY,
    client_id INTEGER NOT NULL REFERENCES clients (id),
    number TEXT NOT NULL UNIQUE,
    issued_on TEXT NOT NULL,
    billing_name TEXT NOT NULL,
    billing_address TEXT,
    total_cents INTEGER NOT NULL
);
CREATE INDEX invoices_by_client ON invoices (client_id);

CREATE TABLE invoice_lines (
    id INTEGER PRIMARY KEY,
    invoice_id INTEGER NOT NULL REFERENCES invoices (id),
    text TEXT NOT NULL,
    amount_cents INTEGER NOT NULL
);
CREATE INDEX invoice_lines_by_invoice ON invoice_lines (invoice_id);

CREATE TABLE call_records (
    id INTEGER PRIMARY KEY,
    client_id INTEGER NOT NULL REFERENCES clients (id),
    called TEXT NOT NULL,
    started_at TEXT NOT NULL,
    seconds INTEGER NOT NULL
);
CREATE INDEX call_records_by_client ON call_records (client_id);

CREATE TABLE activity_log (
    id INTEGER PRIMARY KEY,
    client_id INTEGER NOT NULL REFERENCES clients (id),
    at TEXT NOT NULL,
    action TEXT NOT NULL,
    ip TEXT
);
CREATE INDEX activity_log_by_client ON activity_log (client_id);
