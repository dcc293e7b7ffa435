CREATE TABLE clients (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'active',
    created_at TEXT NOT NULL,
    cancelled_on TEXT
);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    client_id INTEGER REFERENCES clients,
    ordered_on TEXT NOT NULL,
    deliver_to TEXT,
    total_cents INTEGER NOT NULL
);
INSERT INTO clients VALUES
    (7, 'Maud Ashworth', 'maud@example.org', 'cancelled', '2019-03-01', '2025-01-31'),
    (8, 'Nils Ek', 'nils@example.org', 'active', '2020-05-01', NULL);
INSERT INTO orders VALUES
    (70, 7, '2024-06-01', 'Maud Ashworth', 4900),
    (80, 8, '2024-06-02', 'Nils Ek', 1500);
